//! Figures, and whether they keep what was promised.
#![allow(dead_code, clippy::allow_attributes, reason = "each program that includes this uses a part of it")]

/// None where there was nothing to measure.
pub(crate) type Figure = Option<f64>;

pub(crate) fn number(figure: Figure) -> String {
    figure.map_or("–".to_owned(), |figure| {
        format!("{figure:.prec$}", prec = if figure < 30.0 { 2 } else { 0 })
    })
}

pub(crate) fn median(figures: &mut [f64]) -> Figure {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    let lower = *figures.get(middle - usize::from(figures.len().is_multiple_of(2)))?;
    Some(f64::midpoint(lower, upper))
}

pub(crate) fn geometric_mean(figures: Vec<f64>) -> Figure {
    let count = u32::try_from(figures.len()).ok().filter(|count| *count > 0)?;
    Some((figures.into_iter().map(f64::ln).sum::<f64>() / f64::from(count)).exp())
}

pub(crate) fn lowest(figures: &[f64]) -> Figure {
    figures.iter().copied().min_by(f64::total_cmp)
}

pub(crate) fn highest(figures: &[f64]) -> Figure {
    figures.iter().copied().max_by(f64::total_cmp)
}

pub(crate) fn at_least(promise: &str, bound: f64, found: Figure) -> String {
    verdict(&format!("{promise}: at least {bound}"), found, |found| found >= bound)
}

pub(crate) fn at_most(promise: &str, bound: f64, found: Figure) -> String {
    verdict(&format!("{promise}: at most {bound}"), found, |found| found <= bound)
}

fn verdict(promise: &str, found: Figure, holds: impl Fn(f64) -> bool) -> String {
    found.map_or(String::new(), |found| {
        format!("- {} {promise}; measured {found:.3}\n", if holds(found) { "PASS" } else { "FAIL" })
    })
}
