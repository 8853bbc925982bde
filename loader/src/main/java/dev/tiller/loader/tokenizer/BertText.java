package dev.tiller.loader.tokenizer;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;

/** How BERT prepares a text: control characters out, spaces around ideographs, accents off, lower case. */
final class BertText {
    private static final int[] IDEOGRAPHS = {
        0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAFF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F, 0x2B920,
        0x2CEAF, 0x2F800, 0x2FA1F
    };

    private BertText() {}

    static TextNormalizer read(Section section) {
        section.only("clean_text", "handle_chinese_chars", "strip_accents", "lowercase");
        boolean lower = section.flag("lowercase", true);
        List<TextNormalizer> steps = new ArrayList<>();
        if (section.flag("clean_text", true)) {
            steps.add(BertText::clean);
        }
        if (section.flag("handle_chinese_chars", true)) {
            steps.add(BertText::separateIdeographs);
        }
        if (section.flag("strip_accents", lower)) {
            steps.add(new UnicodeForm(Normalizer.Form.NFD));
            steps.add(TextNormalizer.map(c -> Character.getType(c) == Character.NON_SPACING_MARK ? -1 : c));
        }
        if (lower) {
            steps.add(TextNormalizer::lowercase);
        }
        return TextNormalizer.sequence(steps);
    }

    private static AlignedText clean(AlignedText text) {
        return TextNormalizer.map(c -> {
                    if (CodePoints.isWhitespace(c) && (c == '\t' || c == '\n' || c == '\r' || !isControl(c))) {
                        return ' ';
                    }
                    return c == CodePoints.REPLACEMENT || isControl(c) ? -1 : c;
                })
                .normalize(text);
    }

    private static boolean isControl(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL || type == Character.FORMAT || type == Character.PRIVATE_USE;
    }

    private static AlignedText separateIdeographs(AlignedText text) {
        AlignedText.Builder out = new AlignedText.Builder(text.length());
        for (int i = 0; i < text.length(); i++) {
            boolean ideograph = isIdeograph(text.codePoint(i));
            if (ideograph) {
                out.add(' ', text.start(i), text.end(i));
            }
            out.add(text, i, i + 1);
            if (ideograph) {
                out.add(' ', text.start(i), text.end(i));
            }
        }
        return out.build();
    }

    private static boolean isIdeograph(int c) {
        for (int i = 0; i < IDEOGRAPHS.length; i += 2) {
            if (c >= IDEOGRAPHS[i] && c <= IDEOGRAPHS[i + 1]) {
                return true;
            }
        }
        return false;
    }
}
