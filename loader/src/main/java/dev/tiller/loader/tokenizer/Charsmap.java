package dev.tiller.loader.tokenizer;

import dev.tiller.loader.TillerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The compiled character map of SentencePiece: the length of a tree in bytes, the tree, and the replacements, each ended
 * by a zero byte. The tree is a double array (Aoe 1989) as the Darts-clone library writes it: the unit of a node has the
 * byte that leads there in bits 0-7, whether a text ends there in bit 8, and in bits 10-30, times 256 if bit 9 is set,
 * what to combine with the next byte by exclusive or; a unit with bit 31 holds the place of a replacement.
 */
final class Charsmap {
    private final int[] units;
    /** Replacements by their places. */
    private final Map<Integer, int[]> replacements;

    private Charsmap(int[] units, Map<Integer, int[]> replacements) {
        this.units = units;
        this.replacements = replacements;
    }

    /**
     * Reads a map.
     *
     * @throws TillerException if it is damaged
     */
    static Charsmap read(byte[] blob, String source) {
        ByteBuffer in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
        int length = blob.length < 4 ? -1 : in.getInt();
        if (length < 4 || length % 4 != 0 || length > blob.length - 4) {
            throw damaged(source, "a tree of 4-byte units within " + blob.length + " bytes", length + " bytes");
        }
        int[] units = new int[length / 4];
        in.asIntBuffer().get(units);
        Map<Integer, int[]> replacements = new HashMap<>();
        int texts = 4 + length;
        for (int begin = texts, at = texts; at < blob.length; at++) {
            if (blob[at] != 0) {
                continue;
            }
            try {
                String text = StandardCharsets.UTF_8
                        .newDecoder()
                        .decode(ByteBuffer.wrap(blob, begin, at - begin))
                        .toString();
                replacements.put(begin - texts, text.codePoints().toArray());
            } catch (CharacterCodingException e) {
                throw damaged(source, "replacements in UTF-8", "other bytes");
            }
            begin = at + 1;
        }
        Charsmap map = new Charsmap(units, replacements);
        map.check(source);
        return map;
    }

    /** Every place that a unit with bit 31 names must be the start of a replacement. */
    private void check(String source) {
        for (int unit : units) {
            if (unit < 0 && !replacements.containsKey(unit & 0x7FFFFFFF)) {
                throw damaged(source, "places of replacements", String.valueOf(unit & 0x7FFFFFFF));
            }
        }
    }

    private static TillerException damaged(String source, String expected, String found) {
        return new TillerException(source + ": precompiled_charsmap: expected " + expected + ", found " + found);
    }

    /** The longest beginning of the text at a place that is replaced: {@code characters << 32 | place}, or -1. */
    long longest(AlignedText text, int from) {
        return find(text, from, text.length(), false);
    }

    /** The shortest beginning of the text in [from, to) that is replaced, as {@link #longest} gives it. */
    long shortest(AlignedText text, int from, int to) {
        return find(text, from, to, true);
    }

    private long find(AlignedText text, int from, int to, boolean first) {
        long found = -1;
        int node = offset(units[0]);
        for (int i = from; i < to && !(first && found >= 0); i++) {
            int c = text.codePoint(i);
            int bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
            for (int k = bytes - 1; k >= 0; k--) {
                int b = k == bytes - 1
                        ? c >> 6 * k | (bytes == 1 ? 0 : 0xF00 >> bytes & 0xFF)
                        : c >> 6 * k & 0x3F | 0x80;
                node ^= b;
                if (node >= units.length || node < 0 || (units[node] & 0x800000FF) != b) {
                    return found;
                }
                int unit = units[node];
                node ^= offset(unit);
                if ((unit >> 8 & 1) == 1 && k == 0 && node >= 0 && node < units.length) {
                    found = (long) (i + 1 - from) << 32 | units[node] & 0x7FFFFFFF;
                }
            }
        }
        return found;
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >> 6);
    }

    /** The characters that stand at a place. */
    int[] replacement(int place) {
        int[] found = replacements.get(place);
        return found == null ? new int[0] : found;
    }
}
