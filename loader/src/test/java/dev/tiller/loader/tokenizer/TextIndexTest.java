package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tiller.loader.Utf8Texts;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Texts found by their bytes, compared with a map of strings. */
class TextIndexTest {
    private static final String LETTERS = "ab \u0120\u2581\ud83d\ude00";

    private static String random(Random random) {
        StringBuilder text = new StringBuilder();
        int[] letters = LETTERS.codePoints().toArray();
        for (int n = random.nextInt(6); n > 0; n--) {
            text.appendCodePoint(letters[random.nextInt(letters.length)]);
        }
        return text.toString();
    }

    @Test
    void findsWhatAMapFinds() {
        for (int seed = 0; seed < 5; seed++) {
            Random random = new Random(seed);
            List<String> all = new ArrayList<>();
            for (int i = 0; i < 700; i++) {
                all.add(random(random));
            }
            Utf8Texts texts = Utf8Texts.of(all);
            assertEquals(all, texts);
            TextIndex index = new TextIndex(texts);
            Map<String, Integer> map = new HashMap<>();
            for (int i = 0; i < all.size(); i++) {
                Integer earlier = map.putIfAbsent(all.get(i), i);
                assertEquals(earlier == null ? -1 : earlier, index.add(i), all.get(i));
            }
            for (int i = 0; i < 2000; i++) {
                String left = random(random);
                String right = random(random);
                byte[] bytes = (left + "|" + right).getBytes(StandardCharsets.UTF_8);
                int gap = left.getBytes(StandardCharsets.UTF_8).length;
                int first = TextIndex.hash(0, bytes, 0, gap);
                int both = TextIndex.hash(first, bytes, gap + 1, bytes.length);
                assertEquals(map.getOrDefault(left, -1), index.find(bytes, 0, gap), left);
                assertEquals(map.getOrDefault(right, -1), index.find(bytes, gap + 1, bytes.length), right);
                assertEquals(map.getOrDefault(left + right, -1), index.find(bytes, 0, gap, bytes.length, both));
            }
        }
    }

    /** Texts of the same hash: 31 * 'a' + 'b' = 31 * 'b' + 'C'. */
    @Test
    void tellsTextsOfTheSameHashApart() {
        Utf8Texts texts = Utf8Texts.of(List.of("ab", "bC", "abab", "bCbC", "abbC"));
        TextIndex index = new TextIndex(texts);
        for (int i = 0; i < texts.size(); i++) {
            assertEquals(-1, index.add(i));
        }
        for (int i = 0; i < texts.size(); i++) {
            assertEquals(i, index.find(texts.bytes(), texts.start(i), texts.end(i)));
        }
        byte[] other = "bCab".getBytes(StandardCharsets.UTF_8);
        assertEquals(-1, index.find(other, 0, other.length));
    }
}
