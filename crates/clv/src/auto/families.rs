//! What `auto` tries.

use clv_core::backtest::{Backtest, BoxedFit};
use clv_core::learn::{Informed, Regress};
use clv_core::transform::Step;
use clv_core::tune::{Family, Point, Range, Trial};
use clv_core::{Erased, Error, Feature, Span};
use clv_linear::{ElasticNet, Glm, Hurdle};
use clv_trees::{BoostedTrees, BoostedZiln, Loss, RandomForest};

use crate::shelf;

/// What is tuned.
pub(super) fn families(scope: &Scope) -> Result<Vec<Family>, Error> {
    let origins = || ("origins", Range::Whole(1, 3));
    let penalty = || ("penalty", Range::LogBetween(1e-5, 1e-1));
    let power = || ("power", Range::Between(1.1, 1.9));
    let grown = || {
        vec![
            scope.breadth(),
            ("depth", Range::Whole(2, 6)),
            ("learning_rate", Range::LogBetween(0.02, 0.2)),
            ("min_leaf", Range::LogWhole(5, 200)),
            ("sample", Range::Between(0.5, 1.0)),
            ("trees", Range::LogWhole(30, 300)),
        ]
    };
    let tuned = |name: &str, space: Vec<(&'static str, Range)>, build: Tuned| {
        let scope = scope.clone();
        Family::new(name, space, Box::new(move |point, horizon| build(&scope, point, horizon)))
    };
    Ok(vec![
        tuned(
            "tuned tweedie-glm",
            vec![scope.breadth(), origins(), penalty(), power()],
            |scope, point, horizon| scope.learned(glm(point)?, &[Step::Asinh], point, horizon),
        )?,
        tuned("tuned hurdle", vec![scope.breadth(), origins(), penalty()], |scope, point, horizon| {
            let hurdle = Hurdle::default().penalty(point.get("penalty")?)?;
            scope.learned(hurdle, &[Step::Asinh], point, horizon)
        })?,
        tuned(
            "tuned elastic-net",
            vec![
                scope.breadth(),
                origins(),
                ("l1_ratio", Range::Between(0.0, 1.0)),
                ("penalty", Range::LogBetween(1e-3, 1e1)),
            ],
            |scope, point, horizon| {
                let net = ElasticNet::new(point.get("penalty")?, point.get("l1_ratio")?)?;
                scope.learned(net, &[], point, horizon)
            },
        )?,
        tuned(
            "tuned random-forest",
            vec![
                scope.breadth(),
                ("columns", Range::Between(0.2, 0.8)),
                ("depth", Range::Whole(4, 14)),
                ("min_leaf", Range::LogWhole(3, 100)),
                origins(),
            ],
            |scope, point, horizon| {
                let forest = RandomForest::new()
                    .depth(point.count("depth")?)
                    .min_leaf(point.get("min_leaf")?)?
                    .columns(point.get("columns")?)?;
                scope.learned(forest, &[], point, horizon)
            },
        )?,
        tuned(
            "tuned boosted-tweedie",
            [grown(), vec![origins(), power()]].concat(),
            |scope, point, horizon| scope.learned(tweedie(point)?, &[], point, horizon),
        )?,
        tuned("tuned boosted-ziln", [grown(), vec![origins()]].concat(), |scope, point, horizon| {
            scope.learned(BoostedZiln::new(boosted(point, Loss::Logistic)?), &[], point, horizon)
        })?,
        tuned("tuned informed-trees", [grown(), vec![power()]].concat(), |scope, point, horizon| {
            scope.informed(tweedie(point)?, &[], point, horizon)
        })?,
        tuned("tuned informed-glm", vec![scope.breadth(), penalty(), power()], |scope, point, horizon| {
            scope.informed(glm(point)?, &[Step::Asinh], point, horizon)
        })?,
    ])
}

/// Settings of a family at a point.
type Tuned = fn(&Scope, &Point, Span) -> Result<BoxedFit, Error>;

fn glm(point: &Point) -> Result<Glm, Error> {
    Glm::tweedie(point.get("power")?)?.penalty(point.get("penalty")?)
}

fn tweedie(point: &Point) -> Result<BoostedTrees, Error> {
    boosted(point, Loss::Tweedie(point.get("power")?))
}

fn boosted(point: &Point, loss: Loss) -> Result<BoostedTrees, Error> {
    BoostedTrees::new()
        .loss(loss)
        .trees(point.count("trees")?)
        .depth(point.count("depth")?)
        .learning_rate(point.get("learning_rate")?)?
        .min_leaf(point.get("min_leaf")?)?
        .sample(point.get("sample")?)
}

/// Four digits that count.
fn rounded(value: f64) -> f64 {
    let scale = 10_f64.powf(3.0 - value.abs().max(f64::MIN_POSITIVE).log10().floor());
    if scale.is_finite() { (value * scale).round() / scale } else { value }
}

/// A trial's family with its settings.
pub(super) fn named(trial: &Trial) -> String {
    let settings: Vec<String> =
        trial.point.iter().map(|(name, value)| format!("{name} {}", rounded(value))).collect();
    if settings.is_empty() {
        trial.family.clone()
    } else {
        format!("{} ({})", trial.family, settings.join(", "))
    }
}

pub(super) fn settings_of(trial: &Trial, horizon: Span, scope: &Scope) -> Result<BoxedFit, Error> {
    let missing = || Error::NoEstimate { model: "auto", why: "a trial of a family that is not searched" };
    if let Some(name) = shelf::VALUE_MODELS.iter().find(|name| **name == trial.family) {
        return on_shelf(name, scope.with_amounts)?.settings(&trial.point, horizon);
    }
    let families = families(scope)?;
    families.iter().find(|f| f.name() == trial.family).ok_or_else(missing)?.settings(&trial.point, horizon)
}

/// Settings by name: of value if there are amounts.
fn shelf_of(with_amounts: bool) -> fn(&str, Span) -> Result<BoxedFit, Error> {
    if with_amounts { shelf::with_spend } else { shelf::settings }
}

pub(super) fn on_shelf(name: &'static str, with_amounts: bool) -> Result<Family, Error> {
    let shelf = shelf_of(with_amounts);
    Family::new(name, Vec::new(), Box::new(move |_, horizon| shelf(name, horizon)))
}

/// What there is to learn from.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) with_amounts: bool,
    /// Columns beyond the purchases.
    pub(super) beyond: Vec<Feature>,
}

impl Scope {
    pub(super) fn of(backtest: &Backtest<'_>) -> Result<Self, Error> {
        let cut = backtest.split().train;
        let beyond = backtest.source().features(cut)?;
        Ok(Self { with_amounts: backtest.actual_value().is_some(), beyond })
    }

    /// Which columns: few, many, and if there are any all that is known beyond the purchases.
    fn breadth(&self) -> (&'static str, Range) {
        let most = if self.beyond.is_empty() { 2 } else { 3 };
        ("broad", Range::OneOf((0..most).map(f64::from).collect()))
    }

    /// A learner of the columns that a point says.
    fn learned<R: Regress + 'static>(
        &self,
        learner: R,
        steps: &[Step],
        point: &Point,
        horizon: Span,
    ) -> Result<BoxedFit, Error> {
        let over = learner.over(horizon).features(self.columns(point, horizon)?);
        Ok(Box::new(Erased(over.origins(point.count("origins")?)?.transform(self.filled(steps)))))
    }

    /// A learner that knows what Pareto/NBD forecasts.
    fn informed<R: Regress + 'static>(
        &self,
        learner: R,
        steps: &[Step],
        point: &Point,
        horizon: Span,
    ) -> Result<BoxedFit, Error> {
        let base = shelf_of(self.with_amounts);
        let informed = Informed::new(learner, move |horizon| base("pareto-nbd", horizon), horizon);
        Ok(Box::new(Erased(informed.features(self.columns(point, horizon)?).transform(self.filled(steps)))))
    }

    /// What is not known beyond the purchases is filled in first, as some learners take no gaps.
    fn filled(&self, steps: &[Step]) -> Vec<Step> {
        let fill = (!self.beyond.is_empty()).then_some(Step::Fill);
        fill.into_iter().chain(steps.iter().copied()).collect()
    }

    fn columns(&self, point: &Point, horizon: Span) -> Result<Vec<Feature>, Error> {
        let broad = point.get("broad")?;
        if broad < 0.5 {
            return Ok(Feature::of_summary(self.with_amounts));
        }
        let span = |share: f64| Span::days((horizon.in_days() * share).ceil().max(1.0));
        let spans = [span(0.25)?, span(0.5)?, span(1.0)?, span(2.0)?];
        let mut columns = Feature::broad(&spans, self.with_amounts);
        if broad > 1.5 {
            columns.extend(self.beyond.iter().cloned());
        }
        Ok(columns)
    }
}
