//! Contours of a likelihood: how much two parameters are told apart.

use std::num::NonZeroUsize;

use clv_core::{Cells, Context, Error, Fitted};

use crate::estimate::MaximumLikelihood;
use crate::model::PurchaseModel;
use crate::process::{Process, Scale, cells_of, unknown_parameter};
use crate::side_by_side::side_by_side;

/// The log-likelihood at a pair of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContourPoint {
    /// The value of the first parameter.
    pub first: f64,
    /// The value of the second.
    pub second: f64,
    /// The log-likelihood there; −∞ where it is 0.
    pub log_likelihood: f64,
}

impl<P: Process> MaximumLikelihood<P> {
    /// The log-likelihood of cells over a grid of the values of two parameters, the others as they were estimated: row by row, the first parameter's values
    /// outside. Lines through points of one height are its contours (`dc.PlotLogLikelihoodContour` in BTYD): a long ridge says that cells hardly tell the
    /// two apart.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`] for a parameter that the model does not have; [`Error::Setting`] for one that is a count, that is named twice, for values that
    /// are not finite and positive, or with a penalty, whose maximum is another (that of a penalised fit is told by settings without one); as
    /// [`MaximumLikelihood::fit_cells`] for cells; [`Error::Stopped`].
    ///
    /// # Example
    ///
    /// ```
    /// use clv_btyd::{BgNbd, MaximumLikelihood};
    /// use clv_core::{Cells, Context, Customers, TimeUnit};
    ///
    /// let (x, t_x) = ([0, 0, 0, 1, 3, 0, 2, 9], [0.0, 0.0, 0.0, 5.0, 29.0, 0.0, 12.0, 37.0]);
    /// let cells = Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &[38.0; 8], None)?);
    /// let (settings, cx) = (MaximumLikelihood::<BgNbd>::new(), Context::default());
    /// let fitted = settings.fit_cells(&cells, TimeUnit::Week, &cx)?;
    /// let best = fitted.report.log_likelihood.unwrap();
    ///
    /// let (r, alpha) = ([0.2, 0.4, 0.8], [4.0, 8.0]);
    /// let points = settings.contours(&cells, &fitted, ("r", &r), ("alpha", &alpha), &cx)?;
    /// assert_eq!((points[1].first, points[1].second), (0.2, 8.0));
    /// assert!(points.iter().all(|point| point.log_likelihood <= best));
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn contours(
        &self,
        cells: &Cells,
        fitted: &Fitted<PurchaseModel<P>>,
        first: (&str, &[f64]),
        second: (&str, &[f64]),
        cx: &Context<'_>,
    ) -> Result<Vec<ContourPoint>, Error> {
        let places = self.axes(first, second)?;
        let cells = &*cells_of::<P>(cells)?;
        over(first.1, second.1, cx, |a, b| {
            let mut values = fitted.model.parameters().values();
            (values[places.0], values[places.1]) = (a, b);
            Ok(P::from_values(&values)?.ln_likelihood_of(cells))
        })
    }

    /// The same with the other parameters at their best for each pair, by refits from the estimate on: the profile of the likelihood, nowhere below
    /// [`MaximumLikelihood::contours`]. Values less than `χ²₂(level)/2` below the maximum are a region of that confidence (3.00 for .95). What is fixed
    /// otherwise stays so.
    ///
    /// # Errors
    ///
    /// As [`MaximumLikelihood::contours`] and the refits.
    pub fn profile_contours(
        &self,
        cells: &Cells,
        fitted: &Fitted<PurchaseModel<P>>,
        first: (&str, &[f64]),
        second: (&str, &[f64]),
        cx: &Context<'_>,
    ) -> Result<Vec<ContourPoint>, Error> {
        self.axes(first, second)?;
        let start = self.clone().start(*fitted.model.parameters());
        let alone = cx.threads(NonZeroUsize::MIN);
        over(first.1, second.1, cx, |a, b| {
            let settings = start.clone().fix(first.0, a)?.fix(second.0, b)?;
            let found = settings.fit_cells(cells, fitted.report.unit, &alone)?;
            Ok(found.report.log_likelihood.unwrap_or(f64::NAN))
        })
    }

    /// Where the two parameters stand.
    fn axes(&self, first: (&str, &[f64]), second: (&str, &[f64])) -> Result<(usize, usize), Error> {
        if self.penalty_value() != 0.0 {
            let (given, allowed) = (self.penalty_value(), "0 for contours of the likelihood");
            return Err(Error::Setting { name: "penalty", given, allowed });
        }
        let place = |(name, values): (&str, &[f64])| {
            let place = P::PARAMETERS.iter().position(|p| p.name == name);
            let place = place.ok_or_else(|| unknown_parameter(name, P::PARAMETERS))?;
            let parameter = &P::PARAMETERS[place];
            if parameter.scale == Scale::Count {
                let (given, allowed) =
                    (values.first().copied().unwrap_or(f64::NAN), "a parameter that cells tell");
                return Err(Error::Setting { name: parameter.name, given, allowed });
            }
            match values.iter().find(|v| !(v.is_finite() && **v > 0.0)) {
                None => Ok(place),
                Some(&given) => {
                    Err(Error::Setting { name: parameter.name, given, allowed: "finite, above 0" })
                }
            }
        };
        let (one, other) = (place(first)?, place(second)?);
        if one == other {
            let (name, given) = (P::PARAMETERS[one].name, second.1.first().copied().unwrap_or(f64::NAN));
            return Err(Error::Setting {
                name,
                given,
                allowed: "named once: contours are of two parameters",
            });
        }
        Ok((one, other))
    }
}

/// A height for each pair of values.
fn over(
    first: &[f64],
    second: &[f64],
    cx: &Context<'_>,
    height: impl Fn(f64, f64) -> Result<f64, Error> + Sync,
) -> Result<Vec<ContourPoint>, Error> {
    let points = side_by_side(first.len() * second.len(), cx, |point| {
        let (first, second) = (first[point / second.len()], second[point % second.len()]);
        Ok(ContourPoint { first, second, log_likelihood: height(first, second)? })
    })?;
    points.into_iter().collect()
}
