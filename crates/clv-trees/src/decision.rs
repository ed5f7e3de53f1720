//! One tree that can be read.

use std::fmt;

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, setting};
use hessboost::config::TrainingParams;
use hessboost::objective::{Objective, RegLoss};
use serde::{Deserialize, Serialize};

use crate::engine::{Growth, grow};

/// Settings of a regression tree (Breiman, Friedman, Olshen and Stone 1984): each leaf forecasts the
/// mean of its rows. With a target of 0 and 1 that is the share of 1.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `depth` | 3 | eight rules are still read |
/// | `min_leaf` | 20 | rows a leaf must hold |
///
/// ```
/// use clv_core::learn::{Regress, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_trees::DecisionTree;
///
/// let x: Vec<f64> = (0..100).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|x| if *x < 60.0 { 5.0 } else { 20.0 }).collect();
/// let columns = FeatureMatrix::new(vec!["visits".into()], x)?;
/// let tree = DecisionTree::new().depth(1).regress(&Rows::new(&columns, &y)?, &Context::default())?.model;
/// assert_eq!(tree.to_string(), "visits < 60: 5 (60 rows)\nvisits ≥ 60: 20 (40 rows)\n");
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTree {
    depth: usize,
    min_leaf: f64,
}

impl Default for DecisionTree {
    fn default() -> Self {
        Self { depth: 3, min_leaf: 20.0 }
    }
}

impl DecisionTree {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Questions from root to leaf.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Rows a leaf must hold.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn min_leaf(self, rows: f64) -> Result<Self, Error> {
        Ok(Self { min_leaf: setting::at_least_zero("min_leaf", rows)?, ..self })
    }
}

/// A fitted regression tree. Printed, it is its rules, one a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeModel {
    columns: Vec<String>,
    /// The root first.
    nodes: Vec<Node>,
}

/// A question or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Node {
    /// Left if the column is below the threshold.
    Split {
        column: usize,
        below: f64,
        left: usize,
        right: usize,
    },
    Leaf {
        mean: f64,
        rows: f64,
    },
}

impl Regress for DecisionTree {
    type Model = TreeModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<TreeModel>, Error> {
        // A rule that sends the unknown one way or the other would not be read off its text.
        rows.expect_complete()?;
        let params = TrainingParams::builder()
            .objective(Objective::SquaredError(RegLoss::default()))
            .eta(1.0)
            .lambda(0.0)
            .max_depth(self.depth)
            .min_child_weight(self.min_leaf);
        let grown = grow(params, rows, &Growth { rounds: 1, ..Growth::default() }, cx)?;
        let nodes = grown.0.trees().first().map(|tree| tree.nodes().to_vec()).unwrap_or_default();
        let mut model = TreeModel { columns: rows.features().names().to_vec(), nodes: Vec::new() };
        for node in &nodes {
            model.nodes.push(if node.is_leaf() {
                Node::Leaf { mean: 0.0, rows: 0.0 }
            } else {
                Node::Split {
                    column: node.split_feature as usize,
                    below: f64::from(node.split_cond),
                    left: node.left as usize,
                    right: node.right as usize,
                }
            });
        }
        if model.nodes.is_empty() {
            model.nodes.push(Node::Leaf { mean: 0.0, rows: 0.0 });
        }
        model.fill(rows);
        Ok(Learned::new(model))
    }
}

impl TreeModel {
    /// Leaves from the rows themselves, in double precision, by the very way that forecasts take.
    fn fill(&mut self, rows: &Rows<'_>) {
        let mut sums = vec![(0.0, 0.0); self.nodes.len()];
        for (row, y) in rows.target().iter().enumerate() {
            let leaf = &mut sums[self.leaf(rows.features().row(row))];
            leaf.0 += rows.weight(row) * y;
            leaf.1 += rows.weight(row);
        }
        for (node, (sum, weight)) in self.nodes.iter_mut().zip(sums) {
            if let Node::Leaf { mean, rows } = node {
                (*mean, *rows) = (if weight > 0.0 { sum / weight } else { 0.0 }, weight);
            }
        }
    }

    fn leaf(&self, row: &[f64]) -> usize {
        let mut at = 0;
        while let Node::Split { column, below, left, right } = self.nodes[at] {
            // Where the engine that chose the threshold looked: in single precision.
            at = if f64::from(row[column] as f32) < below { left } else { right };
        }
        at
    }

    /// The rule of each leaf: its questions, its mean, and the weight of its rows.
    pub fn rules(&self) -> Vec<(Vec<String>, f64, f64)> {
        let mut rules = Vec::new();
        let mut open = vec![(0, Vec::new())];
        while let Some((at, questions)) = open.pop() {
            match self.nodes[at] {
                Node::Leaf { mean, rows } => rules.push((questions, mean, rows)),
                Node::Split { column, below, left, right } => {
                    let with = |sign: &str| {
                        let mut all = questions.clone();
                        all.push(format!("{} {sign} {below}", self.columns[column]));
                        all
                    };
                    open.push((right, with("≥")));
                    open.push((left, with("<")));
                }
            }
        }
        rules
    }
}

impl fmt::Display for TreeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (questions, mean, rows) in self.rules() {
            let rule = if questions.is_empty() { "all".to_owned() } else { questions.join(" and ") };
            writeln!(f, "{rule}: {} ({rows} rows)", (mean * 1e4).round() / 1e4)?;
        }
        Ok(())
    }
}

impl Regression for TreeModel {
    const KIND: Kind = Kind::new("decision-tree", 1);

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn at(&self, row: &[f64], _: &mut Vec<f32>) -> Result<f64, Error> {
        match self.nodes[self.leaf(row)] {
            Node::Leaf { mean, .. } => Ok(mean),
            Node::Split { .. } => unreachable!("a way down ends at a leaf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    #[test]
    fn leaves_are_means_and_every_row_is_in_one() {
        let x = |i: u32| [f64::from(i * 37 % 101) / 3.0, f64::from(i * 53 % 97)];
        let columns =
            FeatureMatrix::new(vec!["a".into(), "b".into()], (0..300).flat_map(x).collect()).unwrap();
        let target: Vec<f64> = (0..300).map(|i| x(i)[0] * 2.0 + f64::from(x(i)[1] > 50.0) * 9.0).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        let tree = DecisionTree::new().regress(&rows, &Context::default()).unwrap().model;
        let rules = tree.rules();
        assert_eq!(rules.iter().map(|r| r.2).sum::<f64>(), 300.0);
        assert!(rules.len() > 4 && rules.iter().all(|r| r.0.len() <= 3 && r.2 >= 20.0), "{tree}");
        let found = tree.predict(&columns).unwrap();
        for (_, mean, weight) in &rules {
            let leaf: Vec<f64> =
                found.iter().zip(&target).filter(|(f, _)| *f == mean).map(|(_, y)| *y).collect();
            assert_eq!(leaf.len() as f64, *weight);
            assert!((leaf.iter().sum::<f64>() / leaf.len() as f64 - mean).abs() < 1e-10);
        }
        let constant =
            DecisionTree::new().regress(&Rows::new(&columns, &[4.0; 300]).unwrap(), &Context::default());
        assert_eq!(constant.unwrap().model.to_string(), "all: 4 (300 rows)\n");
    }
}
