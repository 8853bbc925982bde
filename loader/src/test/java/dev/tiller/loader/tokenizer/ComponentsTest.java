package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Parts of the tokenizer against simple definitions of what they do. */
class ComponentsTest {
    @Test
    void splitsAtDelimiters() {
        assertEquals(List.of("the", "final", "countdown"), split(SplitBehavior.REMOVED));
        assertEquals(List.of("the", "-", "final", "-", "-", "countdown"), split(SplitBehavior.ISOLATED));
        assertEquals(List.of("the-", "final-", "-", "countdown"), split(SplitBehavior.MERGED_WITH_PREVIOUS));
        assertEquals(List.of("the", "-final", "-", "-countdown"), split(SplitBehavior.MERGED_WITH_NEXT));
        assertEquals(List.of("the", "-", "final", "--", "countdown"), split(SplitBehavior.CONTIGUOUS));
    }

    private static List<String> split(SplitBehavior behavior) {
        List<String> out = new ArrayList<>();
        PreTokenizer.split(TextPattern.literal("-"), behavior, false)
                .split(AlignedText.of("the-final--countdown"), piece -> out.add(piece.text()));
        return out;
    }

    @Test
    void emptyMatchesNeverCutACharacter() {
        AlignedText text = AlignedText.of("\uD83E\uDD8Ab \uD83E\uDD8A");
        List<String> out = new ArrayList<>();
        PreTokenizer.split(TextPattern.regex(" ?"), SplitBehavior.ISOLATED, false)
                .split(text, piece -> out.add(piece.text()));
        assertEquals(List.of("\uD83E\uDD8A", "b", " ", "\uD83E\uDD8A"), out);
    }

    private static List<String> pieces(String component, String text) {
        Section section = Section.of("test", "pre_tokenizer", JsonParser.parseString(component));
        List<String> out = new ArrayList<>();
        PreTokenizer.read(section).split(AlignedText.of(text), piece -> out.add(piece.text()));
        return out;
    }

    @Test
    void piecesOfOneLengthCountCharacters() {
        assertEquals(
                List.of("ab\uD83E\uDD8A", "def", "g"), pieces("{type:FixedLength,length:3}", "ab\uD83E\uDD8Adefg"));
        assertEquals(List.of("abcde", "fg"), pieces("{type:FixedLength}", "abcdefg"));
        assertEquals(List.of(), pieces("{type:FixedLength,length:2147483647}", ""));
        assertEquals(List.of("ab"), pieces("{type:FixedLength,length:2147483647}", "ab"));
    }

    /** Pieces as the tokenizers library 0.23.2 cuts them. */
    @Test
    void scriptsArePieces() {
        String scripts = "{type:UnicodeScripts}";
        assertEquals(
                List.of("\u3069\u3053\u3067\u751F\u308C", "\u3002", "Yes"),
                pieces(scripts, "\u3069\u3053\u3067\u751F\u308C\u3002Yes"));
        assertEquals(List.of("a ", "\u6F22 ", "b"), pieces(scripts, " a \u6F22 b"));
        assertEquals(List.of("a", "1", "\u30FC\u6F22\u30AB"), pieces(scripts, "a1\u30FC\u6F22\u30AB"));
        assertEquals(List.of("a\u0378", "\u6F22"), pieces(scripts, "\u0378a\u0378\u6F22"));
        assertEquals(List.of("ab", "\u0301", "c"), pieces(scripts, "ab\u0301c"));
        assertEquals(List.of(), pieces(scripts, "  "));
    }

    @Test
    void decodesBytesAsTheJdkDoes() {
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            for (int i = 0; i < 20_000; i++) {
                byte[] bytes = new byte[random.nextInt(9)];
                for (int k = 0; k < bytes.length; k++) { // mostly lead and continuation bytes, with their edge cases
                    int b = random.nextBoolean() ? 0x80 + random.nextInt(0x40) : 0xBF + random.nextInt(0x41);
                    boolean surrogate = k > 0 && bytes[k - 1] == (byte) 0xED && b >= 0xA0 && b < 0xC0;
                    bytes[k] = (byte) (surrogate ? 'x' : b);
                }
                assertEquals(new String(bytes, StandardCharsets.UTF_8), decode(bytes), () -> Arrays.toString(bytes));
            }
        }
    }

    @Test
    void encodedSurrogatesAreWrongBytesOneByOne() { // the JDK makes one U+FFFD of them, the Unicode standard three
        assertEquals("\uFFFD\uFFFD\uFFFDa", decode(new byte[] {(byte) 0xED, (byte) 0xA0, (byte) 0x80, 'a'}));
    }

    private static String decode(byte[] bytes) {
        Utf8Stream stream = new Utf8Stream();
        StringBuilder out = new StringBuilder();
        for (byte b : bytes) {
            stream.decode(new byte[] {b}, out);
        }
        stream.finish(out);
        return out.toString();
    }

    @Test
    void mergesAsTheDefinitionSays() {
        for (long seed : new long[] {1, 2, 3, 4, 5}) {
            Random random = new Random(seed);
            Vocabulary vocabulary = new Vocabulary("test", 64);
            for (String letter : List.of("a", "b", "c")) {
                vocabulary.add(letter, vocabulary.size());
            }
            Merges merges = new Merges(4);
            for (int rank = 0; rank < 40; rank++) {
                int left = random.nextInt(vocabulary.size());
                int right = random.nextInt(vocabulary.size());
                String sum = vocabulary.token(left) + vocabulary.token(right);
                if (vocabulary.id(sum) < 0) {
                    vocabulary.add(sum, vocabulary.size());
                }
                if (merges.find(left, right) < 0) {
                    merges.add(left, right, rank, vocabulary.id(sum));
                }
            }
            BytePairModel model =
                    new BytePairModel(vocabulary, merges, new BytePairModel.Options(-1, false, false, false));
            for (int i = 0; i < 500; i++) {
                int[] letters = random.ints(1 + random.nextInt(40), 0, 3).toArray();
                StringBuilder text = new StringBuilder();
                Arrays.stream(letters).forEach(id -> text.append(vocabulary.token(id)));
                TokenList tokens = new TokenList();
                model.tokenize(AlignedText.of(text.toString()), tokens);
                assertArrayEquals(
                        mergeByDefinition(letters, merges), tokens.toEncoding().ids(), text::toString);
            }
        }
    }

    private static int[] mergeByDefinition(int[] letters, Merges merges) {
        List<Integer> ids = new ArrayList<>(Arrays.stream(letters).boxed().toList());
        while (true) {
            int best = -1;
            for (int i = 0; i + 1 < ids.size(); i++) {
                int merge = merges.find(ids.get(i), ids.get(i + 1));
                if (merge >= 0
                        && (best < 0
                                || merges.rank(merge) < merges.rank(merges.find(ids.get(best), ids.get(best + 1))))) {
                    best = i;
                }
            }
            if (best < 0) {
                return ids.stream().mapToInt(Integer::intValue).toArray();
            }
            ids.set(best, merges.result(merges.find(ids.get(best), ids.remove(best + 1))));
        }
    }
}
