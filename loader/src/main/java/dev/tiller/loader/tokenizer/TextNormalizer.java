package dev.tiller.loader.tokenizer;

import java.text.Normalizer.Form;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** The "normalizer" of a tokenizer.json: rewrites a text and keeps the origins of its characters. */
interface TextNormalizer {
    AlignedText normalize(AlignedText text);

    /** The normalizer that the section describes; a null section changes nothing. */
    static TextNormalizer read(Section section) {
        if (section == null) {
            return text -> text;
        }
        return switch (section.type()) {
            case "NFC" -> form(section, Form.NFC);
            case "NFD" -> form(section, Form.NFD);
            case "NFKC" -> form(section, Form.NFKC);
            case "NFKD" -> form(section, Form.NFKD);
            case "Lowercase" -> {
                section.only();
                yield TextNormalizer::lowercase;
            }
            case "StripAccents" -> {
                section.only();
                yield map(c -> CodePoints.isMark(c) ? -1 : c);
            }
            case "Nmt" -> {
                section.only();
                yield map(TextNormalizer::nmt);
            }
            case "Precompiled" -> CompiledNormalizer.read(section, section.name("precompiled_charsmap"));
            case "BertNormalizer" -> BertText.read(section);
            case "ByteLevel" -> {
                section.only("add_prefix_space", "trim_offsets", "use_regex");
                yield ByteAlphabet::encode;
            }
            case "Prepend" -> prepend(section.only("prepend").string("prepend"));
            case "Strip" -> {
                section.only("strip_left", "strip_right");
                yield strip(section.flag("strip_left"), section.flag("strip_right"));
            }
            case "Replace" -> {
                section.only("pattern", "content");
                yield replace(TextPattern.read(section, "pattern"), section.string("content"));
            }
            case "Sequence" ->
                sequence(section.steps("normalizers").stream()
                        .map(TextNormalizer::read)
                        .toList());
            default ->
                throw section.unsupported(
                        "NFC",
                        "NFD",
                        "NFKC",
                        "NFKD",
                        "Lowercase",
                        "Strip",
                        "StripAccents",
                        "Nmt",
                        "Precompiled",
                        "BertNormalizer",
                        "ByteLevel",
                        "Prepend",
                        "Replace",
                        "Sequence");
        };
    }

    static TextNormalizer sequence(List<TextNormalizer> steps) {
        return text -> {
            AlignedText result = text;
            for (TextNormalizer step : steps) {
                result = step.normalize(result);
            }
            return result;
        };
    }

    static TextNormalizer prepend(String prefix) {
        return text -> text.prepend(prefix);
    }

    /**
     * Every match becomes the content, whose characters have the origin of the last character of the match, or of the one
     * before an empty match; at the start of the text, where there is none, they cover nothing.
     */
    static TextNormalizer replace(TextPattern pattern, String content) {
        int[] characters = content.codePoints().toArray();
        return text -> {
            AlignedText.Builder out = new AlignedText.Builder(text.length());
            int copied = 0;
            for (TextPattern.Span match : pattern.matches(text)) {
                out.add(text, copied, match.begin());
                int last = Math.max(0, match.end() - 1);
                int end = match.end() == 0 ? text.start(0) : text.end(last);
                for (int c : characters) {
                    out.add(c, text.start(last), end);
                }
                copied = match.end();
            }
            return out.add(text, copied, text.length()).build();
        };
    }

    private static TextNormalizer form(Section section, Form form) {
        section.only();
        return new UnicodeForm(form);
    }

    private static TextNormalizer strip(boolean left, boolean right) {
        return text -> {
            int begin = 0;
            int end = text.length();
            while (left && begin < end && CodePoints.isWhitespace(text.codePoint(begin))) {
                begin++;
            }
            while (right && begin < end && CodePoints.isWhitespace(text.codePoint(end - 1))) {
                end--;
            }
            return text.slice(begin, end);
        };
    }

    /** Every character by itself becomes another, or goes if that is -1. */
    static TextNormalizer map(IntUnaryOperator rule) {
        return text -> {
            AlignedText.Builder out = new AlignedText.Builder(text.length());
            for (int i = 0; i < text.length(); i++) {
                int c = rule.applyAsInt(text.codePoint(i));
                if (c >= 0) {
                    out.add(c, text.start(i), text.end(i));
                }
            }
            return out.build();
        };
    }

    /** The cleaning rule of the NMT tools: control characters go, what is a kind of space becomes one. */
    private static int nmt(int c) {
        if (c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 || c >= 0x200B && c <= 0x200F) {
            return ' ';
        }
        if (c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == CodePoints.REPLACEMENT) {
            return ' ';
        }
        boolean control = c >= 1 && c < ' ' || c == 0x7F || c == 0x8F || c == 0x9F;
        return control ? -1 : c;
    }

    /** Each character by itself, without regard to its neighbours; one of them becomes two. */
    static AlignedText lowercase(AlignedText text) {
        AlignedText.Builder out = new AlignedText.Builder(text.length());
        for (int i = 0; i < text.length(); i++) {
            int c = text.codePoint(i);
            out.add(Character.toLowerCase(c), text.start(i), text.end(i));
            if (c == 0x130) {
                out.add(0x307, text.start(i), text.end(i));
            }
        }
        return out.build();
    }
}
