package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** The "pre_tokenizer" of a tokenizer.json: cuts a text into pieces that the model tokenizes one by one. */
interface PreTokenizer {
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
            case "Sequence" ->
                sequence(section.steps("pretokenizers").stream()
                        .map(PreTokenizer::read)
                        .toList());
            default ->
                throw section.unsupported("ByteLevel", "Split", "Digits", "Punctuation", "Metaspace", "Sequence");
        };
    }

    /** Leaves a text as it is. */
    static PreTokenizer whole() {
        return (text, pieces) -> pieces.accept(text);
    }

    static PreTokenizer split(TextPattern pattern, SplitBehavior behavior, boolean invert) {
        return (text, pieces) -> behavior.split(text, pattern.matches(text), invert, pieces);
    }

    static PreTokenizer sequence(List<PreTokenizer> steps) {
        PreTokenizer all = whole();
        for (PreTokenizer step : steps.reversed()) {
            PreTokenizer rest = all;
            all = (text, pieces) -> step.split(text, piece -> rest.split(piece, pieces));
        }
        return all;
    }

    /** Cuts into words if wanted, then writes the UTF-8 bytes as characters of the {@link ByteAlphabet}. */
    static PreTokenizer byteLevel(boolean addPrefixSpace, boolean useRegex) {
        return (given, pieces) -> {
            boolean prefix = addPrefixSpace && !given.isEmpty() && given.codePoint(0) != ' ';
            AlignedText text = prefix ? given.prepend(" ") : given;
            int[] positions = new int[text.length() + 1];
            AlignedText bytes = ByteAlphabet.encode(text, positions);
            if (!useRegex) {
                pieces.accept(bytes);
                return;
            }
            List<TextPattern.Span> words = new ArrayList<>();
            for (TextPattern.Span word : GPT2.matches(text)) {
                words.add(new TextPattern.Span(positions[word.begin()], positions[word.end()]));
            }
            SplitBehavior.ISOLATED.split(bytes, words, false, pieces);
        };
    }
}
