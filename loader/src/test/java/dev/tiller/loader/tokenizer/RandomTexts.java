package dev.tiller.loader.tokenizer;

import java.util.List;
import java.util.Random;

/** Texts that mix scripts, marks, emoji, kinds of white space, words and special tokens; never a lone surrogate. */
final class RandomTexts {
    private static final String[] SPACES = {
        " ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00A0", "\u3000", "\u2028", "\u200B", "\u000B",
        "\u2003", "\u0085", "\u1680", "\u202F"
    };
    private static final String[] BITS = {
        "'s",
        "'T",
        "'re",
        "'LL",
        "don't",
        "I'm",
        "...",
        "--",
        "\u2026",
        "\u2019s",
        "#",
        "##a",
        "</w>",
        "\u2581",
        "\u2581the",
        "<0x41>",
        "\u0120",
        "a-b-c",
        "1234567",
        "3.14",
        "\u0664\u0665",
        "\u00BD\u2167",
        "\uFF11\uFF21",
        "\uFB01",
        "\u2460",
        "e\u0301",
        "\u0301",
        "a\u0323\u0301",
        "\u1100\u1161\u11A8",
        "\uAC01",
        "\u0130",
        "\u00DF",
        "\u03A3\u03C2",
        "\u01C5",
        "\uD83D\uDE00",
        "\uD83E\uDDD1\u200D\uD83C\uDF3E",
        "\uD83C\uDDE9\uD83C\uDDEA",
        "\u2764\uFE0F",
        "\uD835\uDC00",
        "\uFFFD",
        "\uFEFF",
        "\u00AD",
        "\u0000",
        "\u007F",
        "\u0007",
        "\u65E5\u672C",
        "\uD840\uDC00",
        "\u0928\u093F",
        "\u0E33",
        "\u05E9\u05C1",
        "\u0644\u0627",
        "x\u0338",
        "\u212B"
    };
    private static final int[][] RANGES = {
        {'a', 'z'},
        {'a', 'z'},
        {'A', 'Z'},
        {'0', '9'},
        {'!', '~'},
        {0xA1, 0x17F},
        {0x370, 0x3FF},
        {0x400, 0x45F},
        {0x5D0, 0x5EA},
        {0x620, 0x64A},
        {0x904, 0x939},
        {0xE01, 0xE30},
        {0x1E00, 0x1EFF},
        {0x2010, 0x2027},
        {0x2190, 0x21FF},
        {0x3041, 0x30FE},
        {0x4E00, 0x9FA5},
        {0xAC00, 0xD7A3},
        {0x1F300, 0x1F64F},
        {0x1D400, 0x1D454}
    };

    private final Random random;
    private final List<String> tokens;
    private final String[] words;

    /**
     * @param tokens added tokens and whatever else shall occur now and then
     * @param words text whose words shall occur
     */
    RandomTexts(long seed, List<String> tokens, String words) {
        this.random = new Random(seed);
        this.tokens = tokens;
        this.words = words.split("\\s+");
    }

    String next() {
        StringBuilder out = new StringBuilder();
        for (int n = random.nextInt(14); n >= 0; n--) {
            switch (random.nextInt(12)) {
                case 0, 1, 2 -> out.append(words[random.nextInt(words.length)]);
                case 3, 4 -> out.append(SPACES[random.nextInt(SPACES.length)]);
                case 5, 6 -> out.append(BITS[random.nextInt(BITS.length)]);
                case 7 -> out.append(tokens.isEmpty() ? "<" : tokens.get(random.nextInt(tokens.size())));
                case 8 -> out.repeat("ab 1\n".codePointAt(random.nextInt(5)), 1 + random.nextInt(20));
                default -> {
                    int[] range = RANGES[random.nextInt(RANGES.length)];
                    for (int k = random.nextInt(6); k >= 0; k--) {
                        out.appendCodePoint(range[0] + random.nextInt(range[1] - range[0] + 1));
                    }
                }
            }
            if (random.nextInt(3) == 0) {
                out.append(' ');
            }
        }
        return out.toString();
    }
}
