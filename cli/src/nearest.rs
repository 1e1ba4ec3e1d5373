//! What somebody meant who wrote a name that nobody knows.

/// The known name that takes the fewest changes, when those are few.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // A name that is far longer than all others is like none of them.
    let short: String = name.chars().take(64).collect();
    let distances = known.iter().map(|known| (distance(&short, known), *known));
    let (changes, near) = distances.min_by_key(|(changes, _)| *changes)?;
    (changes <= 1 + near.len() / 4).then_some(near)
}

/// Levenshtein's distance, underscores and capitals aside.
fn distance(one: &str, other: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().replace('_', "-").chars().collect() };
    let (one, other) = (letters(one), letters(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != wanted);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
