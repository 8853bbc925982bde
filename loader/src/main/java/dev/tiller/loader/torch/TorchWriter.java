package dev.tiller.loader.torch;

import dev.tiller.loader.AtomicFile;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * Writes a file as torch.save does, readable by torch.load(weights_only=True): a zip archive of stored entries with a pickle
 * of protocol 2. The same content under the same file name always gives the same bytes.
 */
public final class TorchWriter {
    /** Data of storages begins at multiples of this many bytes, as torch lays them out. */
    private static final int ALIGNMENT = 64;

    private static final int ENTRY_LIMIT = Integer.MAX_VALUE / 2;

    /**
     * A float32 tensor to write.
     *
     * @param shape dimensions, outermost first
     * @param values row-major, kept by reference
     */
    public record Tensor(long[] shape, float[] values) {
        public Tensor {
            shape = shape.clone();
            long n = 1;
            for (long s : shape) {
                n = Math.multiplyExact(n, s);
            }
            if (n != values.length) {
                throw new IllegalArgumentException("shape of " + n + " elements for " + values.length + " values");
            }
        }
    }

    /** One file of the archive, ready to be laid out. */
    private record Entry(String name, byte[] data) {}

    private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    private final List<float[]> storages = new ArrayList<>();

    private TorchWriter() {}

    /**
     * Writes a value, complete or not at all.
     *
     * @param root null, Boolean, Integer, Long, Float, Double, String, {@link Tensor}, or lists and maps (keys String,
     *     Integer or Long) of such
     */
    public static void write(Path file, Object root) {
        byte[] bytes = bytes(file, root);
        AtomicFile.write(file, channel -> AtomicFile.writeFully(channel, ByteBuffer.wrap(bytes)));
    }

    private static byte[] bytes(Path file, Object root) {
        TorchWriter w = new TorchWriter();
        w.op(0x80).op(2); // PROTO 2
        w.value(root);
        w.op('.');
        String name = file.getFileName().toString();
        int dot = name.lastIndexOf('.');
        String folder = (dot > 0 ? name.substring(0, dot) : name) + "/";
        List<Entry> entries = new ArrayList<>();
        entries.add(new Entry(folder + "data.pkl", w.pickle.toByteArray()));
        entries.add(new Entry(folder + "byteorder", "little".getBytes(StandardCharsets.US_ASCII)));
        for (int i = 0; i < w.storages.size(); i++) {
            entries.add(new Entry(folder + "data/" + i, little(w.storages.get(i))));
        }
        entries.add(new Entry(folder + "version", "3\n".getBytes(StandardCharsets.US_ASCII)));
        return zip(entries);
    }

    private static byte[] little(float[] values) {
        if (values.length > ENTRY_LIMIT / Float.BYTES) {
            throw new TillerException("a tensor of " + values.length + " values is too large for a vector file");
        }
        ByteBuffer out = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        out.asFloatBuffer().put(values);
        return out.array();
    }

    // ---- pickle ----

    private void value(Object value) {
        switch (value) {
            case null -> op('N');
            case Boolean b -> op(b ? 0x88 : 0x89);
            case Integer i -> number(i);
            case Long l -> number(l);
            case Float f -> real(f);
            case Double d -> real(d);
            case String s -> text(s);
            case Tensor t -> tensor(t);
            case List<?> list -> {
                op(']').op('(');
                list.forEach(this::value);
                op('e');
            }
            case Map<?, ?> map -> {
                op('}').op('(');
                map.forEach((k, v) -> {
                    if (!(k instanceof String || k instanceof Integer || k instanceof Long)) {
                        throw new IllegalArgumentException("key of type " + k.getClass());
                    }
                    value(k);
                    value(v);
                });
                op('u');
            }
            default -> throw new IllegalArgumentException("value of type " + value.getClass());
        }
    }

    private void tensor(Tensor t) {
        int key = storages.size();
        storages.add(t.values);
        global("torch._utils", "_rebuild_tensor_v2");
        op('(').op('('); // arguments; id of the storage
        text("storage");
        global("torch", "FloatStorage");
        text(Integer.toString(key));
        text("cpu");
        number(t.values.length);
        op('t').op('Q');
        number(0);
        sizes(t.shape);
        sizes(strides(t.shape));
        op(0x89);
        global("collections", "OrderedDict");
        op(')').op('R').op('t').op('R');
    }

    private static long[] strides(long[] shape) {
        long[] out = new long[shape.length];
        long step = 1;
        for (int i = shape.length - 1; i >= 0; i--) {
            out[i] = step;
            step *= Math.max(1, shape[i]);
        }
        return out;
    }

    private void sizes(long[] values) {
        op('(');
        for (long v : values) {
            number(v);
        }
        op('t');
    }

    private void number(long value) {
        if (value >= 0 && value < 256) {
            op('K').op((int) value);
        } else if (value == (int) value) {
            op('J').bytes(4, value);
        } else {
            op(0x8a).op(8).bytes(8, value);
        }
    }

    private void real(double value) {
        op('G').bytes(8, Long.reverseBytes(Double.doubleToLongBits(value)));
    }

    private void text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        op('X').bytes(4, utf8.length);
        pickle.writeBytes(utf8);
    }

    private void global(String module, String name) {
        op('c');
        pickle.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.US_ASCII));
    }

    private TorchWriter op(int code) {
        pickle.write(code);
        return this;
    }

    private void bytes(int count, long value) {
        for (int i = 0; i < count; i++) {
            pickle.write((int) (value >>> 8 * i));
        }
    }

    // ---- zip ----

    private static byte[] zip(List<Entry> entries) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        for (Entry e : entries) {
            byte[] name = e.name.getBytes(StandardCharsets.UTF_8);
            int start = out.size();
            // An extra field "FB" fills the gap before aligned data, as in torch's own files.
            int gap = Math.floorMod(-(start + 30 + name.length + 4), ALIGNMENT);
            CRC32 crc = new CRC32();
            crc.update(e.data);
            ByteBuffer header = buffer(30 + name.length + 4 + gap);
            header.putInt(0x04034b50);
            common(header, (int) crc.getValue(), e.data.length, name.length, 4 + gap);
            header.put(name).putShort((short) 0x4246).putShort((short) gap);
            out.writeBytes(header.array());
            out.writeBytes(e.data);
            ByteBuffer entry = buffer(46 + name.length);
            entry.putInt(0x02014b50).putShort((short) 20);
            common(entry, (int) crc.getValue(), e.data.length, name.length, 0);
            entry.putShort((short) 0).putShort((short) 0).putShort((short) 0); // comment, disk, kind
            entry.putInt(0).putInt(start).put(name);
            directory.writeBytes(entry.array());
            if (out.size() > ENTRY_LIMIT) {
                throw new TillerException(
                        "a file of more than " + ENTRY_LIMIT + " bytes is too large for a vector file");
            }
        }
        ByteBuffer end = buffer(22);
        end.putInt(0x06054b50).putInt(0);
        end.putShort((short) entries.size()).putShort((short) entries.size());
        end.putInt(directory.size()).putInt(out.size()).putShort((short) 0);
        out.writeBytes(directory.toByteArray());
        out.writeBytes(end.array());
        return out.toByteArray();
    }

    /** What the header of an entry and its line in the directory share: version, flags, method, time, sizes. */
    private static void common(ByteBuffer to, int crc, int bytes, int nameBytes, int extraBytes) {
        to.putShort((short) 20).putShort((short) 0x800).putShort((short) 0);
        to.putShort((short) 0).putShort((short) 0x21); // midnight, first of January 1980
        to.putInt(crc).putInt(bytes).putInt(bytes);
        to.putShort((short) nameBytes).putShort((short) extraBytes);
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
