package dev.tiller.loader.tokenizer;

import java.text.Normalizer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The Unicode normalization forms with origins. {@link Normalizer} knows the data but not where a character came from,
 * so the algorithm of UAX 15 (decompose, order marks, compose) runs here and asks it about single characters and pairs.
 *
 * <p>Origins follow the tokenizers library: the result is laid along the input in order, each character with a count of
 * input characters it uses up. A composed character has the origin of its first part only, and a mark that moved takes
 * the origin of the place it moved to.
 */
final class UnicodeForm implements TextNormalizer {
    /** One character of each canonical combining class but 0, in the order of the classes. */
    private static final int[] CLASS_SAMPLES = {
        0x0334, 0x16FF0, 0x093C, 0x3099, 0x094D, 0x05B0, 0x05B1, 0x05B2, 0x05B3, 0x05B4, 0x05B5, 0x05B6, 0x05B7, 0x05B8,
        0x05B9, 0x05BB, 0x05BC, 0x05BD, 0x05BF, 0x05C1, 0x05C2, 0xFB1E, 0x064B, 0x064C, 0x064D, 0x0618, 0x0619, 0x061A,
        0x0651, 0x0652, 0x0670, 0x0711, 0x0C55, 0x0C56, 0x0E38, 0x0E48, 0x0EB8, 0x0EC8, 0x0F71, 0x0F72, 0x0F74, 0x0321,
        0x1DCE, 0x031B, 0x1DFA, 0x0316, 0x059A, 0x302E, 0x1D16D, 0x05AE, 0x0300, 0x0315, 0x035C, 0x035D, 0x0345
    };

    private static final Map<Integer, Integer> CLASS_RANKS = new ConcurrentHashMap<>();

    private final Normalizer.Form form;

    /** No character below this one changes in this form. */
    private final int unchanged;

    UnicodeForm(Normalizer.Form form) {
        this.form = form;
        this.unchanged = switch (form) {
            case NFC -> 0x300;
            case NFD -> 0xC0;
            case NFKC, NFKD -> 0xA0;
        };
    }

    /** A character and how many input characters it uses up; one that was inserted uses up none. */
    private record Unit(int codePoint, int rank, int used) {}

    @Override
    public AlignedText normalize(AlignedText text) {
        if (text.isBelow(unchanged) || Normalizer.isNormalized(text.text(), form)) {
            return text;
        }
        List<Unit> units = decompose(text);
        if (form == Normalizer.Form.NFC || form == Normalizer.Form.NFKC) {
            units = compose(units);
        }
        AlignedText.Builder out = new AlignedText.Builder(units.size());
        int position = 0;
        for (Unit unit : units) {
            int origin = Math.min(unit.used == 0 ? Math.max(0, position - 1) : position, text.length() - 1);
            out.add(unit.codePoint, text.start(origin), text.end(origin));
            position += unit.used;
        }
        return out.build();
    }

    private List<Unit> decompose(AlignedText text) {
        boolean canonical = form == Normalizer.Form.NFC || form == Normalizer.Form.NFD;
        Normalizer.Form full = canonical ? Normalizer.Form.NFD : Normalizer.Form.NFKD;
        List<Unit> out = new ArrayList<>(text.length() + 8);
        List<Unit> marks = new ArrayList<>();
        for (int i = 0; i < text.length(); i++) {
            String parts = Normalizer.normalize(Character.toString(text.codePoint(i)), full);
            int used = 1;
            for (int at = 0; at < parts.length(); at += Character.charCount(parts.codePointAt(at))) {
                int c = parts.codePointAt(at);
                Unit unit = new Unit(c, classRank(c), used);
                used = 0;
                if (unit.rank == 0) {
                    flush(marks, out);
                    out.add(unit);
                } else {
                    marks.add(unit);
                }
            }
        }
        flush(marks, out);
        return out;
    }

    /** Puts a run of marks into canonical order: a stable sort by class. */
    private static void flush(List<Unit> marks, List<Unit> out) {
        marks.sort(Comparator.comparingInt(Unit::rank));
        out.addAll(marks);
        marks.clear();
    }

    private static List<Unit> compose(List<Unit> units) {
        List<Unit> out = new ArrayList<>(units.size());
        ArrayDeque<Unit> held = new ArrayDeque<>();
        Unit starter = null;
        for (Unit unit : units) {
            if (starter == null) {
                if (unit.rank == 0) {
                    starter = unit;
                } else {
                    out.add(unit);
                }
                continue;
            }
            boolean blocked = !held.isEmpty() && held.getLast().rank >= unit.rank;
            int composed = blocked ? -1 : composition(starter.codePoint, unit.codePoint);
            if (composed >= 0) {
                starter = new Unit(composed, 0, starter.used + unit.used);
            } else if (unit.rank == 0) {
                out.add(starter);
                out.addAll(held);
                held.clear();
                starter = unit;
            } else {
                held.add(unit);
            }
        }
        if (starter != null) {
            out.add(starter);
        }
        out.addAll(held);
        return out;
    }

    /** The character that two compose to, or -1. */
    private static int composition(int first, int second) {
        if (second < 0x300) {
            return -1;
        }
        String pair = Character.toString(first) + Character.toString(second);
        String composed = Normalizer.normalize(pair, Normalizer.Form.NFC);
        return composed.codePointCount(0, composed.length()) == 1 ? composed.codePointAt(0) : -1;
    }

    /** 0 for a starter, else a number that grows with the canonical combining class of the mark. */
    private static int classRank(int c) {
        return c < 0x300 || !CodePoints.isMark(c) ? 0 : CLASS_RANKS.computeIfAbsent(c, UnicodeForm::findClassRank);
    }

    private static int findClassRank(int c) {
        int last = CLASS_SAMPLES.length - 1;
        if (c == CLASS_SAMPLES[last]) {
            return last + 1;
        }
        if (!swaps(CLASS_SAMPLES[last], c)) {
            return 0;
        }
        int low = 0;
        int high = last;
        while (low < high) {
            int middle = (low + high) / 2;
            if (swaps(c, CLASS_SAMPLES[middle])) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low + 1;
    }

    /** Whether canonical ordering exchanges the two, which it does if the first has the higher class of two marks. */
    private static boolean swaps(int first, int second) {
        String text = "a" + Character.toString(first) + Character.toString(second);
        return !Normalizer.normalize(text, Normalizer.Form.NFD).equals(text);
    }
}
