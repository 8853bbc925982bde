package dev.tiller.loader;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The rules of a safetensors file once more, by a parser of its own that shares nothing with the reader: UTF-8 and JSON byte
 * by byte, sizes in unbounded arithmetic. Gives what the file holds, or null where a rule is broken.
 */
final class SafetensorsRules {
    private static final Map<String, Integer> BITS = Map.ofEntries(
            Map.entry("BOOL", 8),
            Map.entry("F4", 4),
            Map.entry("F6_E2M3", 6),
            Map.entry("F6_E3M2", 6),
            Map.entry("U8", 8),
            Map.entry("I8", 8),
            Map.entry("F8_E5M2", 8),
            Map.entry("F8_E4M3", 8),
            Map.entry("F8_E8M0", 8),
            Map.entry("F8_E4M3FNUZ", 8),
            Map.entry("F8_E5M2FNUZ", 8),
            Map.entry("I16", 16),
            Map.entry("U16", 16),
            Map.entry("F16", 16),
            Map.entry("BF16", 16),
            Map.entry("I32", 32),
            Map.entry("U32", 32),
            Map.entry("F32", 32),
            Map.entry("C64", 64),
            Map.entry("F64", 64),
            Map.entry("I64", 64),
            Map.entry("U64", 64));
    private static final BigInteger LARGEST = BigInteger.valueOf(Long.MAX_VALUE);
    private static final int DEEPEST = 127;

    /** One tensor of a file that keeps the rules. */
    record Entry(String dtype, List<Long> shape, long begin, long end) {}

    private static final class Broken extends Exception {
        private static final long serialVersionUID = 1;

        Broken() {
            super(null, null, false, false);
        }
    }

    private final byte[] bytes;
    private final int end;
    private int at;
    private int depth;

    private SafetensorsRules(byte[] bytes, int from, int end) {
        this.bytes = bytes;
        this.at = from;
        this.end = end;
    }

    /** The tensors by name, or null if the file breaks a rule. */
    static Map<String, Entry> read(byte[] file) {
        if (file.length < 8) {
            return null;
        }
        long length = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (length < 0 || length > 100_000_000 || length > file.length - 8) {
            return null;
        }
        try {
            int end = 8 + (int) length;
            checkUtf8(file, 8, end);
            SafetensorsRules rules = new SafetensorsRules(file, 8, end);
            Map<String, Entry> tensors = rules.header();
            tile(tensors, file.length - end);
            return tensors;
        } catch (Broken e) {
            return null;
        }
    }

    private static void checkUtf8(byte[] b, int from, int end) throws Broken {
        for (int i = from; i < end; ) {
            int c = b[i++] & 0xff;
            int more = c < 0x80
                    ? 0
                    : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
            if (more == 9 || more > end - i) {
                throw new Broken();
            }
            int value = more == 0 ? c : c & 0x3f >> more;
            for (int k = 0; k < more; k++, i++) {
                if ((b[i] & 0xc0) != 0x80) {
                    throw new Broken();
                }
                value = value << 6 | b[i] & 0x3f;
            }
            boolean tooLong = more == 2 && value < 0x800 || more == 3 && value < 0x10000;
            if (tooLong || value > 0x10ffff || value >= 0xd800 && value < 0xe000) {
                throw new Broken();
            }
        }
    }

    // ---- what a header says ----

    private Map<String, Entry> header() throws Broken {
        Map<String, Entry> out = new LinkedHashMap<>();
        members(name -> {
            if (name.equals("__metadata__")) {
                if (peek() == 'n') {
                    word("null");
                } else {
                    members(key -> string());
                }
            } else {
                out.put(name, entry());
            }
        });
        space();
        need(at == end);
        return out;
    }

    private Entry entry() throws Broken {
        Map<String, Object> found = new LinkedHashMap<>();
        members(field -> {
            switch (field) {
                case "dtype" -> found.put(field, string());
                case "shape", "data_offsets" -> found.put(field, counts());
                default -> value();
            }
        });
        need(found.size() == 3);
        @SuppressWarnings("unchecked")
        List<Long> shape = (List<Long>) found.get("shape");
        @SuppressWarnings("unchecked")
        List<Long> offsets = (List<Long>) found.get("data_offsets");
        String dtype = (String) found.get("dtype");
        need(BITS.containsKey(dtype) && shape.size() <= 1000 && offsets.size() == 2);
        return new Entry(dtype, shape, offsets.get(0), offsets.get(1));
    }

    private static void tile(Map<String, Entry> tensors, long data) throws Broken {
        List<Entry> all = new ArrayList<>(tensors.values());
        all.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
        long next = 0;
        for (Entry e : all) {
            BigInteger size = BigInteger.ONE;
            for (long dimension : e.shape) {
                size = size.multiply(BigInteger.valueOf(dimension));
                need(size.compareTo(LARGEST) <= 0);
            }
            size = size.multiply(BigInteger.valueOf(BITS.get(e.dtype)));
            need(size.compareTo(LARGEST) <= 0 && size.longValue() % 8 == 0);
            need(e.begin == next && e.end >= e.begin && size.longValue() / 8 == e.end - e.begin);
            next = e.end;
        }
        need(next == data);
    }

    // ---- JSON ----

    /** Reads the value of a member. */
    private interface Member {
        void read(String name) throws Broken;
    }

    private static void need(boolean condition) throws Broken {
        if (!condition) {
            throw new Broken();
        }
    }

    private void space() {
        while (at < end && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' || bytes[at] == '\r')) {
            at++;
        }
    }

    /** The next byte that is no space; -1 at the end. */
    private int peek() {
        space();
        return at < end ? bytes[at] : -1;
    }

    private void take(char c) throws Broken {
        need(peek() == c);
        at++;
    }

    private boolean taken(char c) {
        if (peek() != c) {
            return false;
        }
        at++;
        return true;
    }

    private void word(String word) throws Broken {
        for (int i = 0; i < word.length(); i++) {
            need(at < end && bytes[at++] == word.charAt(i));
        }
    }

    private void enter() throws Broken {
        need(++depth <= DEEPEST);
    }

    /** An object whose names differ. */
    private void members(Member member) throws Broken {
        Set<String> names = new HashSet<>();
        object(name -> {
            need(names.add(name));
            member.read(name);
        });
    }

    private void object(Member member) throws Broken {
        take('{');
        enter();
        if (!taken('}')) {
            do {
                String name = string();
                take(':');
                member.read(name);
            } while (taken(','));
            take('}');
        }
        depth--;
    }

    private List<Long> counts() throws Broken {
        List<Long> out = new ArrayList<>();
        take('[');
        enter();
        if (!taken(']')) {
            do {
                String digits = number();
                need(digits.chars().allMatch(c -> c >= '0' && c <= '9'));
                BigInteger value = new BigInteger(digits);
                need(value.compareTo(LARGEST) <= 0);
                out.add(value.longValue());
            } while (taken(','));
            take(']');
        }
        depth--;
        return out;
    }

    private void value() throws Broken {
        switch (peek()) {
            case '{' -> object(name -> value());
            case '[' -> {
                at++;
                enter();
                if (!taken(']')) {
                    do {
                        value();
                    } while (taken(','));
                    take(']');
                }
                depth--;
            }
            case '"' -> string();
            case 't' -> word("true");
            case 'f' -> word("false");
            case 'n' -> word("null");
            default -> number();
        }
    }

    private String number() throws Broken {
        space();
        int from = at;
        skip('-');
        if (!skip('0')) {
            digits();
        }
        if (skip('.')) {
            digits();
        }
        if (skip('e') || skip('E')) {
            if (!skip('+')) {
                skip('-');
            }
            digits();
        }
        StringBuilder text = new StringBuilder();
        for (int i = from; i < at; i++) {
            text.append((char) bytes[i]);
        }
        return text.toString();
    }

    private boolean skip(char c) {
        if (at < end && bytes[at] == c) {
            at++;
            return true;
        }
        return false;
    }

    private void digits() throws Broken {
        int from = at;
        while (at < end && bytes[at] >= '0' && bytes[at] <= '9') {
            at++;
        }
        need(at > from);
    }

    /** A string; escaped halves of surrogate pairs must come in twos. */
    private String string() throws Broken {
        take('"');
        StringBuilder out = new StringBuilder();
        int half = -1; // an escaped high half that waits for its other one
        while (true) {
            need(at < end);
            int c = bytes[at++];
            if (c == '\\') {
                int escaped = escape();
                boolean low = escaped >= 0xdc00 && escaped < 0xe000;
                need(low == (half >= 0));
                half = escaped >= 0xd800 && escaped < 0xdc00 ? escaped : -1;
                out.append((char) escaped);
                continue;
            }
            need(half < 0);
            if (c == '"') {
                return out.toString();
            }
            need(c < 0 || c >= 0x20);
            at--;
            out.appendCodePoint(raw());
        }
    }

    /** One character of valid UTF-8. */
    private int raw() {
        int c = bytes[at++] & 0xff;
        int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        int value = more == 0 ? c : c & 0x3f >> more;
        for (int i = 0; i < more; i++) {
            value = value << 6 | bytes[at++] & 0x3f;
        }
        return value;
    }

    private int escape() throws Broken {
        need(at < end);
        int c = bytes[at++];
        int plain = "\"\\/bfnrt".indexOf(c);
        if (plain >= 0) {
            return "\"\\/\b\f\n\r\t".charAt(plain);
        }
        need(c == 'u' && end - at >= 4);
        int value = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(bytes[at++], 16);
            need(digit >= 0);
            value = value << 4 | digit;
        }
        return value;
    }
}
