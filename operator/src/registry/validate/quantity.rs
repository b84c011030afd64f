//! Sizes as Kubernetes writes them, to be compared.

/// The bytes that a size such as `20Gi`, `1.5G` or `1024` stands for, or `None` if it is no size.
pub(super) fn bytes(size: &str) -> Option<f64> {
    let digits =
        size.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(size.len());
    let (number, unit) = size.split_at(digits);
    Some(number.parse::<f64>().ok()? * factor(unit)?)
}

fn factor(unit: &str) -> Option<f64> {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let (prefix, base) = match unit.strip_suffix('i') {
        Some(prefix) => (prefix, 1024.0_f64),
        None => (unit, 1000.0),
    };
    // Kubernetes writes a lowercase k for a thousand.
    let prefix = if prefix == "k" { "K" } else { prefix };
    let power = UNITS.iter().position(|unit| *unit == prefix)?;
    Some(base.powi(i32::try_from(power).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_1000_or_1024() {
        assert_eq!(bytes("1024"), Some(1024.0));
        assert_eq!(bytes("1Ki"), Some(1024.0));
        assert_eq!(bytes("1k"), Some(1000.0));
        assert_eq!(bytes("1.5Gi"), bytes("1536Mi"));
        assert!(bytes("1Ti") > bytes("1T"));
    }

    #[test]
    fn what_is_no_size_is_none() {
        assert_eq!(bytes("big"), None);
        assert_eq!(bytes("1Gb"), None);
    }
}
