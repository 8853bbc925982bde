package dev.tiller.loader.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** The "post_processor" of a tokenizer.json: adds the tokens around a text and trims origins. */
interface PostProcessor {
    TokenList process(TokenList tokens, boolean addSpecialTokens);

    /** The post-processor that the section describes; a null section changes nothing. */
    static PostProcessor read(Section section, Vocabulary vocabulary) {
        if (section == null) {
            return (tokens, addSpecialTokens) -> tokens;
        }
        return switch (section.type()) {
            case "ByteLevel" -> {
                section.only("add_prefix_space", "trim_offsets", "use_regex");
                boolean prefix = section.flag("add_prefix_space");
                yield section.flag("trim_offsets")
                        ? (tokens, addSpecialTokens) -> trim(tokens, prefix)
                        : (tokens, addSpecialTokens) -> tokens;
            }
            case "BertProcessing" -> {
                section.only("sep", "cls");
                yield classified(section, vocabulary);
            }
            case "RobertaProcessing" -> {
                section.only("sep", "cls", "trim_offsets", "add_prefix_space");
                boolean prefix = section.flag("add_prefix_space", true);
                PostProcessor around = classified(section, vocabulary);
                yield section.flag("trim_offsets", true)
                        ? sequence(List.of((tokens, addSpecialTokens) -> trim(tokens, prefix), around))
                        : around;
            }
            case "TemplateProcessing" -> readTemplate(section, vocabulary);
            case "Sequence" -> readSequence(section.steps("processors"), vocabulary);
            default ->
                throw section.unsupported(
                        "ByteLevel", "BertProcessing", "RobertaProcessing", "TemplateProcessing", "Sequence");
        };
    }

    /** Tokens before and after the text, by id. */
    static PostProcessor surround(int[] before, int[] after, Vocabulary vocabulary) {
        return (tokens, addSpecialTokens) -> {
            if (!addSpecialTokens || before.length + after.length == 0) {
                return tokens;
            }
            TokenList out = new TokenList();
            for (int id : before) {
                out.add(id, vocabulary.token(id), 0, 0);
            }
            out.addAll(tokens);
            for (int id : after) {
                out.add(id, vocabulary.token(id), 0, 0);
            }
            return out;
        };
    }

    /** The tokens "cls" before and "sep" after the text. */
    private static PostProcessor classified(Section section, Vocabulary vocabulary) {
        int[][] ids = new int[2][];
        for (String key : new String[] {"cls", "sep"}) {
            int id = section.pairId(key);
            if (!vocabulary.has(id)) {
                throw section.error(key, "an id of the vocabulary");
            }
            ids[key.equals("cls") ? 0 : 1] = new int[] {id};
        }
        return surround(ids[0], ids[1], vocabulary);
    }

    /** The library lets what follows a template work on each of its parts, of which no tokenizer can have made use. */
    private static PostProcessor readSequence(List<Section> steps, Vocabulary vocabulary) {
        boolean inParts = false;
        for (Section step : steps) {
            if (inParts && !step.type().equals("ByteLevel")) {
                throw step.error("type", "ByteLevel after a TemplateProcessing");
            }
            inParts |= step.type().equals("TemplateProcessing");
        }
        return sequence(steps.stream().map(step -> read(step, vocabulary)).toList());
    }

    private static PostProcessor sequence(List<PostProcessor> steps) {
        return (tokens, addSpecialTokens) -> {
            TokenList result = tokens;
            for (PostProcessor step : steps) {
                result = step.process(result, addSpecialTokens);
            }
            return result;
        };
    }

    /** Only the template for a single text counts; it must hold that text once. */
    private static PostProcessor readTemplate(Section section, Vocabulary vocabulary) {
        section.only("single", "pair", "special_tokens");
        List<Integer> before = new ArrayList<>();
        List<Integer> after = new ArrayList<>();
        int sequences = 0;
        for (Section piece : section.sections("single")) {
            if (piece.has("Sequence")) {
                if (!piece.section("Sequence").string("id").equals("A") || ++sequences > 1) {
                    throw section.error("single", "the sequence A once");
                }
                continue;
            }
            String name = piece.section("SpecialToken").string("id");
            Section token = section.section("special_tokens").section(name);
            for (int id : token.counts("ids")) {
                if (!vocabulary.has(id)) {
                    throw token.error("ids", "ids of the vocabulary");
                }
                (sequences == 0 ? before : after).add(id);
            }
        }
        if (sequences == 0) {
            throw section.error("single", "the sequence A once");
        }
        return surround(
                before.stream().mapToInt(Integer::intValue).toArray(),
                after.stream().mapToInt(Integer::intValue).toArray(),
                vocabulary);
    }

    /** Takes white space at the edges of a token out of its origin, but not a space that was put before the text. */
    private static TokenList trim(TokenList tokens, boolean addPrefixSpace) {
        for (int i = 0; i < tokens.size(); i++) {
            int[] characters = tokens.text(i).codePoints().toArray();
            int leading = 0;
            while (leading < characters.length && isSpace(characters[leading])) {
                leading++;
            }
            int trailing = 0;
            while (trailing < characters.length && isSpace(characters[characters.length - 1 - trailing])) {
                trailing++;
            }
            int start = tokens.start(i);
            int end = tokens.end(i);
            boolean first = i == 0 || start == 0;
            if (leading > 1 || (leading == 1 && !(first && addPrefixSpace))) {
                start = Math.min(start + leading, end);
            }
            if (trailing > 0 && end >= trailing) {
                end = Math.max(end - trailing, start);
            }
            tokens.setOrigin(i, start, end);
        }
        return tokens;
    }

    private static boolean isSpace(int c) {
        return c == ByteAlphabet.character(' ') || CodePoints.isWhitespace(c);
    }
}
