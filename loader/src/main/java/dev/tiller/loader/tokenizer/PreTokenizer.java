package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** The "pre_tokenizer" of a tokenizer.json: cuts a text into pieces that the model tokenizes one by one. */
interface PreTokenizer {
    /** A word of the component "Whitespace", which has joiners in it, unlike a word of a regular expression in the file. */
    String WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\u200C\u200D";

    /** How GPT-2 cuts text into words. */
    TextPattern GPT2 =
            TextPattern.regex("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");

    /** Hands the pieces on in order; they may be empty. */
    void split(AlignedText text, Consumer<AlignedText> pieces);

    /** The pre-tokenizer that the section describes; a null section leaves the text whole. */
    static PreTokenizer read(Section section) {
        if (section == null) {
            return whole();
        }
        return switch (section.type()) {
            case "ByteLevel" -> {
                section.only("add_prefix_space", "trim_offsets", "use_regex");
                yield byteLevel(section.flag("add_prefix_space"), section.flag("use_regex", true));
            }
            case "Split" -> {
                section.only("pattern", "behavior", "invert");
                yield split(TextPattern.read(section, "pattern"), SplitBehavior.read(section), section.flag("invert"));
            }
            case "Digits" -> {
                boolean individual = section.only("individual_digits").flag("individual_digits");
                yield split(
                        TextPattern.each(CodePoints::isNumber),
                        individual ? SplitBehavior.ISOLATED : SplitBehavior.CONTIGUOUS,
                        false);
            }
            case "Punctuation" -> {
                section.only("behavior");
                SplitBehavior behavior = section.has("behavior") ? SplitBehavior.read(section) : SplitBehavior.ISOLATED;
                yield split(TextPattern.each(CodePoints::isPunctuation), behavior, false);
            }
            case "Metaspace" -> Metaspace.read(section);
            case "Whitespace" -> {
                section.only();
                yield split(TextPattern.regex("[%1$s]+|[^%1$s\\s]+".formatted(WORD)), SplitBehavior.REMOVED, true);
            }
            case "WhitespaceSplit" -> {
                section.only();
                yield split(TextPattern.each(CodePoints::isWhitespace), SplitBehavior.REMOVED, false);
            }
            case "BertPreTokenizer" -> {
                section.only();
                yield sequence(List.of(
                        split(TextPattern.each(CodePoints::isWhitespace), SplitBehavior.REMOVED, false),
                        split(TextPattern.each(CodePoints::isPunctuation), SplitBehavior.ISOLATED, false)));
            }
            case "CharDelimiterSplit" -> {
                int delimiter = section.only("delimiter").character("delimiter");
                yield split(TextPattern.each(c -> c == delimiter), SplitBehavior.REMOVED, false);
            }
            case "UnicodeScripts" -> {
                section.only();
                yield new UnicodeScripts();
            }
            case "FixedLength" -> fixedLength(section.only("length"));
            case "Sequence" ->
                sequence(section.steps("pretokenizers").stream()
                        .map(PreTokenizer::read)
                        .toList());
            default ->
                throw section.unsupported(
                        "ByteLevel",
                        "Split",
                        "Digits",
                        "Punctuation",
                        "Metaspace",
                        "Whitespace",
                        "WhitespaceSplit",
                        "BertPreTokenizer",
                        "CharDelimiterSplit",
                        "UnicodeScripts",
                        "FixedLength",
                        "Sequence");
        };
    }

    /** Pieces of so many characters each; the last may be shorter. */
    private static PreTokenizer fixedLength(Section section) {
        int length = section.has("length") ? section.count("length") : 5;
        if (length == 0) {
            throw section.error("length", "a whole number above 0");
        }
        return (text, pieces) -> {
            int end = 0;
            for (int at = 0; at < text.length(); at = end) {
                end = at + Math.min(length, text.length() - at);
                pieces.accept(text.slice(at, end));
            }
        };
    }

    /** Leaves a text as it is. */
    static PreTokenizer whole() {
        return (text, pieces) -> pieces.accept(text);
    }

    static PreTokenizer split(TextPattern pattern, SplitBehavior behavior, boolean invert) {
        if (pattern instanceof WordPattern words && behavior == SplitBehavior.ISOLATED) {
            return (text, pieces) -> split(words, text, pieces);
        }
        return (text, pieces) -> behavior.split(text, pattern.matches(text), invert, pieces);
    }

    /** The words one after the other, without a list of all. */
    private static void split(WordPattern words, AlignedText text, Consumer<AlignedText> pieces) {
        for (int at = 0; at < text.length(); ) {
            int end = words.end(text, at);
            pieces.accept(text.slice(at, end));
            at = end;
        }
    }

    static PreTokenizer sequence(List<PreTokenizer> steps) {
        return new Chain(List.copyOf(steps));
    }

    /** Cuts into words if wanted, then writes the UTF-8 bytes as characters of the {@link ByteAlphabet}. */
    static PreTokenizer byteLevel(boolean addPrefixSpace, boolean useRegex) {
        return new ByteLevel(addPrefixSpace, useRegex);
    }

    /** Whether the last thing done is to write each piece as bytes. */
    default boolean endsInBytes() {
        return false;
    }

    /** All of this but the writing as bytes at the end. */
    default PreTokenizer words() {
        return this;
    }

    /** One step after the other. */
    record Chain(List<PreTokenizer> steps) implements PreTokenizer {
        @Override
        public void split(AlignedText text, Consumer<AlignedText> pieces) {
            split(0, text, pieces);
        }

        private void split(int step, AlignedText text, Consumer<AlignedText> pieces) {
            if (step == steps.size()) {
                pieces.accept(text);
            } else if (step == steps.size() - 1) {
                steps.get(step).split(text, pieces);
            } else {
                steps.get(step).split(text, piece -> split(step + 1, piece, pieces));
            }
        }

        @Override
        public boolean endsInBytes() {
            return !steps.isEmpty() && steps.getLast().endsInBytes();
        }

        @Override
        public PreTokenizer words() {
            if (!endsInBytes()) {
                return this;
            }
            List<PreTokenizer> all = new ArrayList<>(steps);
            all.add(all.removeLast().words());
            return new Chain(List.copyOf(all));
        }
    }

    /** Words as bytes. */
    record ByteLevel(boolean addPrefixSpace, boolean useRegex) implements PreTokenizer {
        @Override
        public void split(AlignedText text, Consumer<AlignedText> pieces) {
            words().split(text, word -> pieces.accept(ByteAlphabet.encode(word)));
        }

        @Override
        public boolean endsInBytes() {
            return true;
        }

        @Override
        public PreTokenizer words() {
            PreTokenizer cut = useRegex ? PreTokenizer.split(GPT2, SplitBehavior.ISOLATED, false) : whole();
            return (given, pieces) -> {
                boolean prefix = addPrefixSpace && !given.isEmpty() && given.codePoint(0) != ' ';
                cut.split(prefix ? given.prepend(" ") : given, pieces);
            };
        }
    }
}
