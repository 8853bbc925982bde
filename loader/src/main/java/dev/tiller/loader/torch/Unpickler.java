package dev.tiller.loader.torch;

import dev.tiller.loader.TillerException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs the part of the pickle language (Python's pickletools, protocols 2 to 5) that plain data with tensors needs. A pickle
 * is a program; here it can build numbers, texts, lists, dicts and what {@link TorchGlobals} makes of the names that it
 * knows. Every other opcode and every other name is refused by its name, and nothing is ever called or imported.
 *
 * <p>Values: null, Boolean, Long, Double, String, List (lists and tuples), Map, and those of {@link TorchGlobals}. Containers
 * may be shared or contain themselves; {@link TorchFile} turns them into a tree within limits.
 */
final class Unpickler {
    private static final int MAX_BYTES = 16 << 20;

    /** Most opcodes: those of some ten thousand tensors. Each makes at most one object, so memory is bounded as well. */
    private static final int MAX_STEPS = 1 << 20;

    private static final int NEWEST = 5;

    /** What is between two marks on the stack. */
    private static final Object MARK = new Object();

    private static final Map<Integer, String> REFUSED = Map.ofEntries(
            Map.entry((int) 'i', "INST"),
            Map.entry((int) 'o', "OBJ"),
            Map.entry(0x81, "NEWOBJ"),
            Map.entry(0x92, "NEWOBJ_EX"),
            Map.entry(0x82, "EXT1"),
            Map.entry(0x83, "EXT2"),
            Map.entry(0x84, "EXT4"),
            Map.entry((int) 'P', "PERSID"),
            Map.entry((int) '0', "POP"),
            Map.entry((int) '1', "POP_MARK"),
            Map.entry((int) '2', "DUP"),
            Map.entry((int) 'I', "INT"),
            Map.entry((int) 'L', "LONG"),
            Map.entry((int) 'F', "FLOAT"),
            Map.entry((int) 'S', "STRING"),
            Map.entry((int) 'V', "UNICODE"),
            Map.entry((int) 'T', "BINSTRING"),
            Map.entry((int) 'U', "SHORT_BINSTRING"),
            Map.entry((int) 'B', "BINBYTES"),
            Map.entry((int) 'C', "SHORT_BINBYTES"),
            Map.entry(0x8e, "BINBYTES8"),
            Map.entry(0x96, "BYTEARRAY8"),
            Map.entry(0x97, "NEXT_BUFFER"),
            Map.entry(0x98, "READONLY_BUFFER"),
            Map.entry(0x8b, "LONG4"),
            Map.entry(0x8f, "EMPTY_SET"),
            Map.entry(0x90, "ADDITEMS"),
            Map.entry(0x91, "FROZENSET"),
            Map.entry((int) 'p', "PUT"),
            Map.entry((int) 'g', "GET"),
            Map.entry((int) 'd', "DICT"),
            Map.entry((int) 'l', "LIST"));

    private final ByteBuffer in;
    private final String source;
    private final TorchGlobals globals;
    private final List<Object> stack = new ArrayList<>();
    private final Map<Integer, Object> memo = new HashMap<>();

    private Unpickler(MemorySegment pickle, String source, TorchGlobals globals) {
        this.source = source;
        this.globals = globals;
        if (pickle.byteSize() > MAX_BYTES) {
            throw new TillerException(
                    source + ": expected a pickle of at most " + MAX_BYTES + " bytes, found " + pickle.byteSize());
        }
        this.in = ByteBuffer.wrap(pickle.toArray(ValueLayout.JAVA_BYTE)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The value that the pickle describes. */
    static Object run(MemorySegment pickle, String source, TorchGlobals globals) {
        return new Unpickler(pickle, source, globals).run();
    }

    private Object run() {
        for (int steps = 0; steps < MAX_STEPS; steps++) {
            int op = u8();
            if (op == '.') {
                Object result = pop();
                if (!stack.isEmpty()) {
                    throw error("expected one value at its end, found " + (stack.size() + 1));
                }
                return result;
            }
            step(op);
        }
        throw error("expected at most " + MAX_STEPS + " opcodes, found more");
    }

    private void step(int op) {
        switch (op) {
            case 0x80 -> protocol(); // PROTO
            case 0x95 -> need(eight()); // FRAME
            case '(' -> stack.add(MARK);
            case 'N' -> push(null);
            case 0x88 -> push(true); // NEWTRUE
            case 0x89 -> push(false); // NEWFALSE
            case 'J' -> push((long) four()); // BININT
            case 'K' -> push((long) u8()); // BININT1
            case 'M' -> push((long) u16()); // BININT2
            case 0x8a -> push(long1()); // LONG1
            case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(eight()))); // BINFLOAT
            case 'X' -> push(text(four() & 0xFFFFFFFFL)); // BINUNICODE
            case 0x8c -> push(text(u8())); // SHORT_BINUNICODE
            case 0x8d -> push(text(eight())); // BINUNICODE8
            case ')' -> push(new ArrayList<>()); // EMPTY_TUPLE
            case ']' -> push(new ArrayList<>()); // EMPTY_LIST
            case '}' -> push(new LinkedHashMap<>()); // EMPTY_DICT
            case 't' -> push(toMark()); // TUPLE
            case 0x85 -> push(last(1)); // TUPLE1
            case 0x86 -> push(last(2)); // TUPLE2
            case 0x87 -> push(last(3)); // TUPLE3
            case 'a' -> append(last(1));
            case 'e' -> append(toMark()); // APPENDS
            case 's' -> set(last(2)); // SETITEM
            case 'u' -> set(toMark()); // SETITEMS
            case 'q' -> memo.put(u8(), top()); // BINPUT
            case 'r' -> memo.put(four(), top()); // LONG_BINPUT
            case 0x94 -> memo.put(memo.size(), top()); // MEMOIZE
            case 'h' -> push(remembered(u8())); // BINGET
            case 'j' -> push(remembered(four())); // LONG_BINGET
            case 'c' -> push(globals.named(line(), line())); // GLOBAL
            case 0x93 -> stackGlobal();
            case 'R' -> reduce();
            case 'b' -> build();
            case 'Q' -> push(globals.storage(pop())); // BINPERSID
            default -> {
                String name = REFUSED.get(op);
                throw error("opcode " + (name != null ? name : String.format("0x%02x", op))
                        + " is not part of a file of plain tensors and is refused");
            }
        }
    }

    private void protocol() {
        int version = u8();
        if (version < 2 || version > NEWEST) {
            throw error("expected pickle protocol 2 to " + NEWEST + ", found " + version);
        }
    }

    /** A little-endian two's complement number of up to 8 bytes. */
    private long long1() {
        int bytes = u8();
        if (bytes > Long.BYTES) {
            throw error("expected a whole number of at most 64 bits, found " + bytes * 8);
        }
        need(bytes);
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (in.get() & 0xFFL) << 8 * i;
        }
        int unused = Long.SIZE - 8 * bytes;
        return bytes == 0 ? 0 : value << unused >> unused;
    }

    private void append(List<Object> items) {
        if (!(top() instanceof List<?> list)) {
            throw error("expected a list to append to, found " + kind(top()));
        }
        objects(list).addAll(items);
    }

    private void set(List<Object> items) {
        if (!(top() instanceof Map<?, ?> map)) {
            throw error("expected a dict to set items of, found " + kind(top()));
        }
        if (items.size() % 2 != 0) {
            throw error("expected keys and values in pairs, found " + items.size() + " items");
        }
        for (int i = 0; i < items.size(); i += 2) {
            Object key = items.get(i);
            if (!(key instanceof String || key instanceof Long || key instanceof Double || key instanceof Boolean)) {
                throw error("expected a text or a number as key of a dict, found " + kind(key));
            }
            pairs(map).put(key, items.get(i + 1));
        }
    }

    private void stackGlobal() {
        List<Object> names = last(2);
        if (!(names.get(0) instanceof String module) || !(names.get(1) instanceof String name)) {
            throw error("expected a module and a name, found " + kind(names.get(0)) + " and " + kind(names.get(1)));
        }
        push(globals.named(module, name));
    }

    private void reduce() {
        List<Object> call = last(2);
        if (!(call.get(1) instanceof List<?> arguments)) {
            throw error("expected a tuple of arguments, found " + kind(call.get(1)));
        }
        push(globals.call(call.get(0), objects(arguments)));
    }

    /** Attributes of an OrderedDict (a state dict has some), which are no values: left out. Nothing else has any. */
    private void build() {
        List<Object> both = last(2);
        if (!(both.get(0) instanceof Map<?, ?> map) || !(both.get(1) instanceof Map<?, ?>)) {
            throw error("BUILD on " + kind(both.get(0)) + " is refused; only a dict may have attributes");
        }
        push(map);
    }

    // ---- stack ----

    private void push(Object value) {
        stack.add(value);
    }

    private Object top() {
        if (stack.isEmpty() || stack.getLast() == MARK) {
            throw error("expected a value on the stack, found none");
        }
        return stack.getLast();
    }

    private Object pop() {
        top();
        return stack.removeLast();
    }

    /** Takes the last n values, in their order. */
    private List<Object> last(int n) {
        List<Object> out = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            out.add(pop());
        }
        return out.reversed().stream().collect(ArrayList::new, ArrayList::add, ArrayList::addAll);
    }

    /** Takes all values above the last mark, and the mark. */
    private List<Object> toMark() {
        int mark = stack.lastIndexOf(MARK);
        if (mark < 0) {
            throw error("expected a mark on the stack, found none");
        }
        List<Object> above = stack.subList(mark + 1, stack.size());
        List<Object> out = new ArrayList<>(above);
        stack.subList(mark, stack.size()).clear();
        return out;
    }

    private Object remembered(int number) {
        if (!memo.containsKey(number)) {
            throw error("expected a value stored under " + Integer.toUnsignedString(number) + ", found none");
        }
        return memo.get(number);
    }

    @SuppressWarnings("unchecked") // lists and maps are only ever made here
    private static List<Object> objects(List<?> list) {
        return (List<Object>) list;
    }

    @SuppressWarnings("unchecked")
    private static Map<Object, Object> pairs(Map<?, ?> map) {
        return (Map<Object, Object>) map;
    }

    /** What a value is, in Python's words. */
    static String kind(Object value) {
        return switch (value) {
            case null -> "None";
            case Boolean b -> "a bool";
            case Long l -> "an int";
            case Double d -> "a float";
            case String s -> "a str";
            case List<?> l -> "a list or tuple";
            case Map<?, ?> m -> "a dict";
            case TorchTensor t -> "a tensor";
            default -> value.toString();
        };
    }

    // ---- bytes ----

    private void need(long bytes) {
        if (bytes < 0 || bytes > in.remaining()) {
            throw error("truncated: " + Long.toUnsignedString(bytes) + " bytes are needed at " + in.position() + ", "
                    + in.remaining() + " are left");
        }
    }

    private int u8() {
        need(1);
        return in.get() & 0xFF;
    }

    private int u16() {
        need(2);
        return in.getShort() & 0xFFFF;
    }

    private int four() {
        need(4);
        return in.getInt();
    }

    private long eight() {
        need(8);
        return in.getLong();
    }

    private String text(long bytes) {
        need(bytes);
        ByteBuffer part = in.slice(in.position(), (int) bytes);
        in.position(in.position() + (int) bytes);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(part).toString();
        } catch (CharacterCodingException e) {
            throw error("a text is not valid UTF-8");
        }
    }

    /** Up to the next line feed: module and name of GLOBAL. */
    private String line() {
        int start = in.position();
        while (u8() != '\n') {
            if (in.position() - start > 1000) {
                throw error("expected the name of a global, found more than 1000 bytes");
            }
        }
        return new String(in.array(), start, in.position() - start - 1, StandardCharsets.ISO_8859_1);
    }

    private TillerException error(String message) {
        return new TillerException(source + ": pickle: " + message);
    }
}
