package dev.tiller.loader.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Text that comes piece by piece is the text that comes at once. */
class StreamDecoderTest {
    private static final String REPLACEMENT = "\uFFFD";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bytelevel_digits",
                "bytelevel_llama3",
                "bytelevel_qwen2",
                "gpt2",
                "minimind",
                "normalizers",
                "qwen3",
                "smollm2",
                "sp_bpe_llama2",
                "sp_bpe_metaspace"
            })
    void piecesTogetherAreTheDecodedText(String name) {
        Tokenizer tokenizer = Goldens.tokenizer(name);
        for (Goldens.Golden golden : Goldens.read(name)) {
            check(tokenizer, golden.ids(), golden.decoded(), false);
            check(tokenizer, golden.ids(), golden.decodedSkip(), true);
            check(tokenizer, golden.idsSpecial(), golden.decodedSpecial(), false);
        }
        for (long seed : new long[] {1, 2, 3}) {
            Random random = new Random(seed);
            for (int i = 0; i < 300; i++) {
                int[] ids = random.ints(random.nextInt(30), 0, tokenizer.vocabSize())
                        .toArray();
                check(tokenizer, ids, tokenizer.decode(ids, false), false);
                check(tokenizer, ids, tokenizer.decode(ids, true), true);
            }
        }
    }

    private static void check(Tokenizer tokenizer, int[] ids, String expected, boolean skip) {
        StreamDecoder decoder = tokenizer.streamDecoder(skip);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            String piece = decoder.append(id);
            assertTrue(piece.isEmpty() || !Character.isHighSurrogate(piece.charAt(piece.length() - 1)), piece);
            text.append(piece);
            assertTrue(expected.startsWith(text.toString()), () -> text + " is no prefix of " + expected);
        }
        text.append(decoder.finish());
        assertEquals(expected, text.toString());
    }

    @Test
    void holdsBackAnUnfinishedCharacter() {
        Tokenizer tokenizer = Goldens.tokenizer("gpt2");
        int[] ids = tokenizer.encode("\uD83E\uDD8A!", false); // a fox, four bytes in three tokens
        assertTrue(ids.length >= 4);
        StreamDecoder decoder = tokenizer.streamDecoder(false);
        for (int i = 0; i < ids.length - 2; i++) {
            assertEquals("", decoder.append(ids[i]));
        }
        assertEquals("\uD83E\uDD8A", decoder.append(ids[ids.length - 2]));
        assertEquals("!", decoder.append(ids[ids.length - 1]));
        assertEquals("", decoder.finish());
    }

    @Test
    void givesTextAtOnceAndNotAtTheEnd() {
        for (String name : List.of("smollm2", "sp_bpe_llama2", "sp_bpe_metaspace")) {
            Tokenizer tokenizer = Goldens.tokenizer(name);
            StreamDecoder decoder = tokenizer.streamDecoder(false);
            int[] ids = tokenizer.encode("The cat sat on the mat.", false);
            StringBuilder text = new StringBuilder();
            for (int id : ids) {
                String piece = decoder.append(id);
                assertFalse(piece.isEmpty() && !text.isEmpty(), name);
                text.append(piece);
            }
            assertEquals("The cat sat on the mat.", text.toString());
        }
    }

    @Test
    void marksACharacterThatStaysUnfinished() {
        Tokenizer tokenizer = Goldens.tokenizer("gpt2");
        int[] ids = tokenizer.encode("\uD83E\uDD8A", false);
        StreamDecoder decoder = tokenizer.streamDecoder(false);
        assertEquals("", decoder.append(ids[0]));
        assertEquals(REPLACEMENT, decoder.finish());
        assertThrows(IllegalStateException.class, () -> decoder.append(ids[0]));
        Tokenizer fallback = Goldens.tokenizer("sp_bpe_llama2");
        StreamDecoder bytes = fallback.streamDecoder(false);
        assertEquals("", bytes.append(fallback.idOf("<0xF0>")));
        assertEquals("", bytes.append(fallback.idOf("<0x9F>")));
        assertEquals(REPLACEMENT + REPLACEMENT, bytes.finish());
    }

    @Test
    void refusesAnIdOutsideTheVocabulary() {
        Tokenizer tokenizer = Goldens.tokenizer("gpt2");
        for (int id : new int[] {-1, tokenizer.vocabSize(), Integer.MAX_VALUE}) {
            String message = assertThrows(TillerException.class, () -> tokenizer.decode(new int[] {id}, true))
                    .getMessage();
            assertTrue(message.contains("token id " + id) && message.contains("tokenizer.json"), message);
            assertThrows(
                    TillerException.class, () -> tokenizer.streamDecoder(true).append(id));
            assertThrows(TillerException.class, () -> tokenizer.token(id));
            assertFalse(tokenizer.isSpecial(id));
        }
        assertEquals(-1, tokenizer.idOf("no such token"));
    }
}
