//! Bars as SVG, for documents.

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// How long it is.
    pub value: f64,
    /// What is written beside it.
    pub text: String,
}

/// Width of the picture, in pixels.
const WIDTH: f64 = 720.0;

/// Where bars begin.
const LEFT: f64 = 250.0;

/// From one bar to the next.
const STEP: f64 = 30.0;

/// Draws bars below a title. They are as long as the square root of their values, so that
/// small ones beside large ones can be told apart.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let longest = bars
        .iter()
        .map(|bar| bar.value.max(0.0).sqrt())
        .fold(1e-9, f64::max);
    let height = 50.0 + STEP * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    );
    for (nth, bar) in bars.iter().enumerate() {
        let y = 44.0 + STEP * nth as f64;
        let width = (WIDTH - LEFT - 110.0) * bar.value.max(0.0).sqrt() / longest;
        let colour = if nth == 0 { "#2a7d4f" } else { "#9aa5b1" };
        svg.push_str(&format!(
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{LEFT:.0}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"20\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\">{}</text>\n",
            LEFT - 8.0,
            y + 15.0,
            escaped(&bar.name),
            LEFT + width + 8.0,
            y + 15.0,
            escaped(&bar.text),
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_bar_for_each_value_and_no_markup_in_its_names() {
        let bar = |name: &str, value| Bar {
            name: name.to_owned(),
            value,
            text: value.to_string(),
        };
        let svg = bars(
            "a <b>",
            &[bar("x & y", 4.0), bar("z", 0.0), bar("w", f64::NAN)],
        );
        assert_eq!(svg.matches("<rect x=").count(), 3);
        assert!(svg.contains("a &lt;b&gt;") && svg.contains("x &amp; y") && !svg.contains("NaN\""));
    }
}
