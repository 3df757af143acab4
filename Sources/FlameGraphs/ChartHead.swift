/// What charts over time open with: size, words for who can't see them, the ground, a heading, and the hatching that
/// stands for what was not measured.
enum ChartHead {
    static func write(
        width: Int, height: Int, title: String, subtitle: String, description: String, style: String,
        to bytes: inout [UInt8]
    ) {
        func element(_ opening: String, _ text: String, _ closing: String) {
            bytes.append(contentsOf: opening.utf8)
            SVGText.append(text, to: &bytes)
            bytes.append(contentsOf: closing.utf8)
        }
        bytes.append(
            contentsOf: """
                <?xml version="1.0" encoding="UTF-8" standalone="no"?>
                <svg version="1.1" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
                xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description">

                """.utf8)
        element("<title id=\"title\">", title, "</title>\n")
        element("<desc id=\"description\">", description, "</desc>\n")
        bytes.append(
            contentsOf: """
                <style>\(style)</style>
                <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" \
                patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern></defs>
                <rect class="ground" width="100%" height="100%"/>

                """.utf8)
        element("<text class=\"head\" x=\"\(width / 2)\" y=\"24\">", title, "</text>\n")
        element("<text class=\"middle\" x=\"\(width / 2)\" y=\"44\">", subtitle, "</text>\n")
    }
}
