//! Themes: what things mean, and how that looks. Views name a [`Role`], never a colour.
//!
//! The default theme uses the terminal's own sixteen colours and follows its background. What goes well is blue, what
//! goes badly is orange or bright yellow on red: nobody has to tell red from green. `mono` uses no colour at all and is
//! what `NO_COLOR` selects: bold, dim, underlined and reversed still differ, and every state has its own glyph.

use ratatui::style::{Color, Modifier, Style};

/// What something means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Text,
    /// What can be overlooked: units, hints, what is past.
    Dim,
    /// A heading.
    Title,
    /// What wants to be looked at first.
    Accent,
    /// Frames around panes and nodes.
    Border,
    /// The frame of what is selected.
    Focus,
    /// The line or cell under the selection.
    Selected,
    /// A key that can be pressed.
    Key,
    /// As it should be.
    Good,
    /// Not settled yet.
    Pending,
    /// Wrong, and somebody was told, or it can be repaired.
    Warn,
    /// Harm: lost, repeated, down.
    Bad,
    /// Something that was done to the world: faults.
    Fault,
    /// An entry that cannot be used now.
    Disabled,
    /// The header's and the footer's background.
    Bar,
}

/// A set of styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's sixteen colours.
    Default,
    /// True colours on a light background.
    Light,
    /// True colours on a dark background.
    Dark,
    /// Black, white and three strong colours.
    HighContrast,
    /// No colours.
    Mono,
}

impl Theme {
    /// Every theme, in the order in which one key goes through them.
    pub const ALL: [Self; 5] = [Self::Default, Self::Light, Self::Dark, Self::HighContrast, Self::Mono];

    /// What the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Light => "light",
            Self::Dark => "dark",
            Self::HighContrast => "high-contrast",
            Self::Mono => "mono",
        }
    }

    /// The theme of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|theme| *theme == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// How something with this meaning looks.
    pub fn style(self, role: Role) -> Style {
        if self == Self::Mono {
            return mono(role);
        }
        let palette = self.palette();
        let style = Style::new().bg(palette.background);
        match role {
            Role::Text => style.fg(palette.text),
            Role::Dim | Role::Border => style.fg(palette.dim),
            Role::Title => style.fg(palette.text).add_modifier(Modifier::BOLD),
            Role::Accent | Role::Focus | Role::Key => style.fg(palette.accent).add_modifier(Modifier::BOLD),
            Role::Selected => Style::new().fg(palette.selected_text).bg(palette.selected),
            Role::Good => style.fg(palette.good),
            Role::Pending => style.fg(palette.pending),
            Role::Warn => style.fg(palette.warn),
            Role::Bad => style.fg(palette.bad).add_modifier(Modifier::BOLD),
            Role::Fault => style.fg(palette.fault).add_modifier(Modifier::BOLD),
            Role::Disabled => style.fg(palette.dim).add_modifier(Modifier::CROSSED_OUT),
            Role::Bar => Style::new().fg(palette.bar_text).bg(palette.bar),
        }
    }

    fn palette(self) -> Palette {
        let rgb = Color::from_u32;
        match self {
            Self::Default | Self::Mono => Palette {
                background: Color::Reset,
                text: Color::Reset,
                dim: Color::DarkGray,
                accent: Color::Cyan,
                selected: Color::Blue,
                selected_text: Color::White,
                good: Color::Blue,
                pending: Color::Reset,
                warn: Color::Yellow,
                bad: Color::LightRed,
                fault: Color::Magenta,
                bar: Color::Reset,
                bar_text: Color::Reset,
            },
            Self::Light => Palette {
                background: rgb(0x00ff_ffff),
                text: rgb(0x001f_2328),
                dim: rgb(0x0059_636e),
                accent: rgb(0x0005_50ae),
                selected: rgb(0x0005_50ae),
                selected_text: rgb(0x00ff_ffff),
                good: rgb(0x0009_69da),
                pending: rgb(0x0059_636e),
                warn: rgb(0x007d_4e00),
                bad: rgb(0x00b3_3a00),
                fault: rgb(0x0082_50df),
                bar: rgb(0x00e7_ecf0),
                bar_text: rgb(0x001f_2328),
            },
            Self::Dark => Palette {
                background: rgb(0x000d_1117),
                text: rgb(0x00e6_edf3),
                dim: rgb(0x008b_949e),
                accent: rgb(0x0079_c0ff),
                selected: rgb(0x001f_4b7f),
                selected_text: rgb(0x00ff_ffff),
                good: rgb(0x0058_a6ff),
                pending: rgb(0x00b1_bac4),
                warn: rgb(0x00e3_b341),
                bad: rgb(0x00ff_9b5e),
                fault: rgb(0x00d2_a8ff),
                bar: rgb(0x0021_262d),
                bar_text: rgb(0x00e6_edf3),
            },
            Self::HighContrast => Palette {
                background: rgb(0x0000_0000),
                text: rgb(0x00ff_ffff),
                dim: rgb(0x00c8_c8c8),
                accent: rgb(0x0000_ffff),
                selected: rgb(0x00ff_ffff),
                selected_text: rgb(0x0000_0000),
                good: rgb(0x0080_c8ff),
                pending: rgb(0x00ff_ffff),
                warn: rgb(0x00ff_ff00),
                bad: rgb(0x00ff_a000),
                fault: rgb(0x00ff_80ff),
                bar: rgb(0x00ff_ffff),
                bar_text: rgb(0x0000_0000),
            },
        }
    }
}

struct Palette {
    background: Color,
    text: Color,
    dim: Color,
    accent: Color,
    selected: Color,
    selected_text: Color,
    good: Color,
    pending: Color,
    warn: Color,
    bad: Color,
    fault: Color,
    bar: Color,
    bar_text: Color,
}

fn mono(role: Role) -> Style {
    let modifier = match role {
        Role::Text | Role::Border | Role::Good | Role::Pending => Modifier::empty(),
        Role::Dim | Role::Disabled => Modifier::DIM,
        Role::Title | Role::Accent | Role::Key | Role::Focus => Modifier::BOLD,
        Role::Selected | Role::Bar => Modifier::REVERSED,
        Role::Warn => Modifier::UNDERLINED,
        Role::Bad => Modifier::BOLD.union(Modifier::UNDERLINED),
        Role::Fault => Modifier::BOLD.union(Modifier::ITALIC),
    };
    Style::new().add_modifier(modifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 15] = [
        Role::Text,
        Role::Dim,
        Role::Title,
        Role::Accent,
        Role::Border,
        Role::Focus,
        Role::Selected,
        Role::Key,
        Role::Good,
        Role::Pending,
        Role::Warn,
        Role::Bad,
        Role::Fault,
        Role::Disabled,
        Role::Bar,
    ];

    fn luminance(color: Color) -> Option<f64> {
        let Color::Rgb(r, g, b) = color else { return None };
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
    }

    #[test]
    fn text_stands_out_from_its_background() {
        for theme in [Theme::Light, Theme::Dark, Theme::HighContrast] {
            for role in ROLES {
                let style = theme.style(role);
                let (Some(fg), Some(bg)) = (style.fg.and_then(luminance), style.bg.and_then(luminance))
                else {
                    panic!("{theme:?} {role:?} has true colours")
                };
                let contrast = (fg.max(bg) + 0.05) / (fg.min(bg) + 0.05);
                assert!(contrast >= 4.5, "{theme:?} {role:?}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour() {
        for role in ROLES {
            let style = Theme::Mono.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn themes_are_found_by_name_and_follow_one_another() {
        for theme in Theme::ALL {
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::Mono.next(), Theme::Default);
    }
}
