//! Weighted cells: histories that are the same are counted once.
//!
//! Among a million customers only some 150,000 histories `(x, t_x, T)` are distinct, and a
//! likelihood or a forecast need be computed once for each.

use hashbrown::HashTable;

use crate::model::Customers;

/// Distinct histories with how many customers have them, sorted by frequency, recency and age.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cells {
    /// Repeat purchases `x`.
    pub frequency: Vec<u32>,
    /// Recency `t_x`.
    pub recency: Vec<f64>,
    /// Age `T`.
    pub age: Vec<f64>,
    /// Customers in the cell.
    pub weight: Vec<f64>,
}

impl Cells {
    /// The cells of these customers. The order of the customers does not matter.
    pub fn of(who: &Customers<'_>) -> Self {
        let mut index = CellIndex::default();
        index.build(who);
        let n = index.representative.len();
        let mut weight = vec![0.0; n];
        for &cell in &index.cell_of_row {
            weight[cell as usize] += 1.0;
        }
        let key = |cell: u32| {
            let row = index.representative[cell as usize] as usize;
            // Non-negative floats sort as their bits.
            (who.frequency()[row], who.recency()[row].to_bits(), who.age()[row].to_bits())
        };
        let mut order: Vec<_> = (0..n as u32).map(|cell| (key(cell), cell)).collect();
        order.sort_unstable();
        let mut cells = Self::default();
        for ((x, t_x, age), cell) in order {
            cells.push(x, f64::from_bits(t_x), f64::from_bits(age), weight[cell as usize]);
        }
        cells
    }

    /// Adds a cell; the order is the caller's business.
    pub fn push(&mut self, frequency: u32, recency: f64, age: f64, weight: f64) {
        self.frequency.push(frequency);
        self.recency.push(recency);
        self.age.push(age);
        self.weight.push(weight);
    }

    /// Leaves no cell, and the memory for more.
    pub fn clear(&mut self) {
        self.frequency.clear();
        self.recency.clear();
        self.age.clear();
        self.weight.clear();
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weight.is_empty()
    }

    /// Number of customers.
    pub fn customers(&self) -> f64 {
        self.weight.iter().sum()
    }

    /// Every `step`-th cell, for a first rough fit.
    pub fn thinned(&self, step: usize) -> Self {
        let mut thin = Self::default();
        for i in (step / 2..self.len()).step_by(step.max(1)) {
            thin.push(self.frequency[i], self.recency[i], self.age[i], self.weight[i]);
        }
        thin
    }
}

/// Which customers share a history: reusable, so that scoring batch after batch allocates nothing.
#[derive(Debug, Default)]
pub struct CellIndex {
    table: HashTable<u32>,
    /// One customer row per cell.
    representative: Vec<u32>,
    /// The cell of each customer row.
    cell_of_row: Vec<u32>,
}

impl CellIndex {
    /// Finds the cells of these customers, in order of first appearance.
    pub fn build(&mut self, who: &Customers<'_>) {
        self.table.clear();
        self.representative.clear();
        self.cell_of_row.clear();
        let (x, t_x, age) = (who.frequency(), who.recency(), who.age());
        let hash = |row: usize| mix(x[row], t_x[row].to_bits(), age[row].to_bits());
        for row in 0..who.len() {
            let representative = &mut self.representative;
            let same = |&cell: &u32| {
                let r = representative[cell as usize] as usize;
                x[r] == x[row]
                    && t_x[r].to_bits() == t_x[row].to_bits()
                    && age[r].to_bits() == age[row].to_bits()
            };
            let h = hash(row);
            let cell = match self.table.find(h, same) {
                Some(&cell) => cell,
                None => {
                    let cell = representative.len() as u32;
                    representative.push(row as u32);
                    self.table.insert_unique(h, cell, |&c| hash(representative[c as usize] as usize));
                    cell
                }
            };
            self.cell_of_row.push(cell);
        }
    }

    /// One customer row per cell.
    pub fn representatives(&self) -> &[u32] {
        &self.representative
    }

    /// The cell of each customer row.
    pub fn cell_of_row(&self) -> &[u32] {
        &self.cell_of_row
    }
}

/// Multiply–xorshift mixing: the keys are few bits spread over three words.
fn mix(x: u32, t_x: u64, age: u64) -> u64 {
    let mut h = (u64::from(x) ^ t_x.rotate_left(21)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 29) ^ age).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 32;
    h.wrapping_mul(0x94d0_49bb_1331_11eb) ^ h
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::TimeUnit;

    #[test]
    fn equal_histories_are_counted_once_in_any_order() {
        let (x, t_x, age) = ([2, 0, 2, 0, 2], [1.5, 0.0, 1.5, 0.0, 1.0], [4.0, 3.0, 4.0, 3.0, 4.0]);
        let cells = Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap());
        assert_eq!(cells.frequency, [0, 2, 2]);
        assert_eq!(cells.recency, [0.0, 1.0, 1.5]);
        assert_eq!(cells.weight, [2.0, 1.0, 2.0]);
        let (x, t_x, age) = ([2, 2, 0, 0, 2], [1.0, 1.5, 0.0, 0.0, 1.5], [4.0, 4.0, 3.0, 3.0, 4.0]);
        assert_eq!(Cells::of(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap()), cells);
    }
}
