//! Where things stand on a screen of a given size.
//!
//! Pure geometry, shared by the views, which draw there, and by `update`, which has to know how many rows a page has.

use ratatui::layout::Rect;

/// Below this a line says that the terminal is too small.
pub const WIDTH_MIN: u16 = 40;
/// Likewise.
pub const HEIGHT_MIN: u16 = 10;

/// From this width on there is room for a second column.
const WIDE: u16 = 110;
/// Lines about a message above its payload: topic, facts, a rule.
pub const MESSAGE_LINES: usize = 3;
/// Width of a column of the help.
const HELP_COLUMN: u16 = 68;
/// Rows of a list that are worth having beside a pane with details.
const LIST_ROWS_MIN: u16 = 8;

/// The parts that every view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// The terminal is too small for anything else.
    pub too_small: bool,
    /// Tabs and the state of the connection.
    pub header: Rect,
    /// The warning that what is shown is old, if there is one.
    pub banner: Option<Rect>,
    /// The view.
    pub body: Rect,
    /// Keys.
    pub footer: Rect,
}

impl Screen {
    /// Divides the terminal.
    pub fn new(width: u16, height: u16, has_banner: bool) -> Self {
        let too_small = width < WIDTH_MIN || height < HEIGHT_MIN;
        let row = |y| Rect { x: 0, y, width, height: u16::from(!too_small) };
        let top = if has_banner { 2 } else { 1 };
        let body = Rect { x: 0, y: top, width, height: height.saturating_sub(top + 1) };
        Self {
            too_small,
            header: row(0),
            banner: has_banner.then(|| row(1)),
            body: if too_small { Rect::default() } else { body },
            footer: row(height.saturating_sub(1)),
        }
    }
}

/// How the overview is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// One line per figure, where there is no room for more; the other parts are empty then.
    pub lines: Option<Rect>,
    /// The four large charts: messages in and out, bytes in and out.
    pub charts: Vec<Rect>,
    /// The small cards.
    pub cards: Vec<Rect>,
    /// Busiest topics and busiest connections, where it is wide.
    pub sides: Option<(Rect, Rect)>,
}

/// Divides the overview.
pub fn overview(body: Rect) -> Overview {
    if body.width < 64 || body.height < 17 {
        return Overview { lines: Some(body), charts: Vec::new(), cards: Vec::new(), sides: None };
    }
    let wide = body.width >= WIDE && body.height >= 20;
    let (main, side) =
        if wide { split_columns(body, body.width * 60 / 100) } else { (body, Rect::default()) };
    let card_height = match main.height {
        0..26 => 4,
        26..40 => 5,
        _ => 7,
    };
    let (charts, cards) = split_rows(main, main.height - 2 * card_height);
    let sides = wide.then(|| split_rows(side, side.height - side.height / 2));
    Overview { lines: None, charts: grid(charts, 2, 2), cards: grid(cards, 4, 2), sides }
}

/// A list, and a pane about what is selected in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListAndPane {
    /// The list with its frame.
    pub list: Rect,
    /// The pane with its frame.
    pub pane: Option<Rect>,
}

impl ListAndPane {
    /// Rows of the list: without the frame and the line of titles.
    pub fn page(&self) -> usize {
        usize::from(self.list.height.saturating_sub(3))
    }
}

/// Divides the topics view.
pub fn topics(body: Rect, detail: bool) -> ListAndPane {
    list_and_pane(body, detail, body.width * 62 / 100, 9)
}

/// Divides the connections view.
pub fn connections(body: Rect, detail: bool) -> ListAndPane {
    // The table needs the whole width: the pane is always below.
    list_and_pane(body, detail, body.width, 8)
}

/// Divides the traffic view; with `detail` the payload has all of it.
pub fn traffic(body: Rect, detail: bool) -> ListAndPane {
    if detail {
        return ListAndPane { list: Rect { height: 0, ..body }, pane: Some(body) };
    }
    list_and_pane(body, true, body.width * 62 / 100, body.height * 2 / 5)
}

/// Puts the pane beside the list where it is wide, below where it is not, nowhere where there is no room.
fn list_and_pane(body: Rect, pane: bool, left: u16, height: u16) -> ListAndPane {
    if !pane {
        return ListAndPane { list: body, pane: None };
    }
    if body.width >= WIDE && left < body.width {
        let (list, pane) = split_columns(body, left);
        return ListAndPane { list, pane: Some(pane) };
    }
    if body.height < LIST_ROWS_MIN + height {
        return ListAndPane { list: body, pane: None };
    }
    let (list, pane) = split_rows(body, body.height - height);
    ListAndPane { list, pane: Some(pane) }
}

/// How the help is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Help {
    /// The window, frame included.
    pub window: Rect,
    /// Columns of keys beside each other.
    pub columns: u16,
    /// Lines in each column, if all of it is shown.
    pub lines: usize,
}

impl Help {
    /// Lines that there is room for.
    pub fn page(&self) -> usize {
        usize::from(self.window.height.saturating_sub(2))
    }

    /// How far it can be scrolled.
    pub fn last_offset(&self) -> usize {
        self.lines.saturating_sub(self.page())
    }
}

/// Divides the help of `lines` lines: a window in the middle, two columns where it is wide.
pub fn help(body: Rect, lines: usize) -> Help {
    let columns = if body.width >= WIDE { 2 } else { 1 };
    let lines = if columns == 2 { lines.div_ceil(2) } else { lines };
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(body.height);
    let width = (HELP_COLUMN * columns + 4).min(body.width);
    let window =
        Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    Help { window, columns, lines }
}

fn split_columns(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    (Rect { width: left, ..area }, Rect { x: area.x + left, width: area.width - left, ..area })
}

fn split_rows(area: Rect, top: u16) -> (Rect, Rect) {
    let top = top.min(area.height);
    (Rect { height: top, ..area }, Rect { y: area.y + top, height: area.height - top, ..area })
}

/// `columns` by `rows` equal areas, row by row; what does not divide goes to the first ones.
fn grid(area: Rect, columns: u16, rows: u16) -> Vec<Rect> {
    let cut = |length: u16, parts: u16, part: u16| length / parts * part + part.min(length % parts);
    let cell = |row: u16, column: u16| {
        let (x, y) = (cut(area.width, columns, column), cut(area.height, rows, row));
        Rect {
            x: area.x + x,
            y: area.y + y,
            width: cut(area.width, columns, column + 1) - x,
            height: cut(area.height, rows, row + 1) - y,
        }
    };
    (0..rows).flat_map(|row| (0..columns).map(move |column| cell(row, column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(body: Rect, parts: &[Rect]) {
        for (i, part) in parts.iter().enumerate() {
            assert_eq!(part.intersection(body), *part, "{part:?} is not within {body:?}");
            for other in parts.iter().skip(i + 1) {
                assert!(part.intersection(*other).area() == 0, "{part:?} and {other:?} overlap");
            }
        }
    }

    #[test]
    fn parts_never_overlap_and_never_leave_the_screen() {
        for width in (0..240).step_by(7) {
            for height in 0..70 {
                for banner in [false, true] {
                    let screen = Screen::new(width, height, banner);
                    let body = screen.body;
                    let whole = Rect { x: 0, y: 0, width, height };
                    if !screen.too_small {
                        inside(
                            whole,
                            &[vec![screen.header, body, screen.footer], screen.banner.into_iter().collect()]
                                .concat(),
                        );
                    }
                    inside(body, &[help(body, 60).window]);
                    let overview = overview(body);
                    let mut parts =
                        [overview.charts, overview.cards, overview.lines.into_iter().collect()].concat();
                    parts.extend(overview.sides.into_iter().flat_map(|(a, b)| [a, b]));
                    inside(body, &parts);
                    assert_eq!(parts.iter().map(|part| part.area()).sum::<u32>(), body.area());
                    for detail in [false, true] {
                        for both in [topics(body, detail), connections(body, detail), traffic(body, detail)] {
                            let parts: Vec<Rect> = [both.list].into_iter().chain(both.pane).collect();
                            inside(body, &parts);
                            assert_eq!(parts.iter().map(|part| part.area()).sum::<u32>(), body.area());
                        }
                    }
                }
            }
        }
    }
}
