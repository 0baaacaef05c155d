//! A scenario file as the laboratory takes it.

use super::{About, Source};
use crate::broker::{self, Family};
use crate::scenario::plan::Plan;
use crate::scenario::{Diagnostics, Heading, Scenario, Style};

/// A scenario that was read and checked.
pub struct Opened {
    scenario: Scenario,
    about: About,
    family: &'static dyn Family,
    style: Style,
}

impl Opened {
    /// Mistakes in variants' names and `--set` lines are worded in this style.
    pub fn new(scenario: Scenario, style: Style) -> Self {
        let text = |words: &Option<String>| words.clone().unwrap_or_default();
        let about = About {
            name: scenario.name.clone(),
            title: scenario.title().to_owned(),
            question: text(&scenario.words.question),
            story: text(&scenario.words.story),
            lesson: text(&scenario.words.lesson),
            decisive: scenario.decisive.clone(),
            facts: scenario.facts.clone(),
            claims: scenario.claims.clone(),
        };
        let family = broker::family(scenario.family).expect("a scenario that was read names a family");
        Self { scenario, about, family, style }
    }

    /// The scenario as it was read.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }
}

impl Source for Opened {
    fn about(&self) -> &About {
        &self.about
    }
    fn family(&self) -> &'static dyn Family {
        self.family
    }
    fn variants(&self) -> Vec<String> {
        self.scenario.variants.clone()
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        self.scenario.plan(variant, sets).map_err(|mistakes| words(&mistakes, self.style))
    }
    fn file(&self, variant: Option<&str>, sets: &[String], heading: &Heading) -> Result<String, String> {
        let written = self.scenario.written(variant, sets, heading);
        written.map_err(|mistakes| words(&mistakes, self.style))
    }
}

/// All mistakes, without the empty line at the end.
pub fn words(mistakes: &Diagnostics, style: Style) -> String {
    mistakes.render(style).trim_end().to_owned()
}
