package dev.tiller.loader.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Just enough of the GGUF format to get the tokenizer keys of a trusted file in a test. */
final class GgufKeys {
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    private final ByteBuffer in;

    private GgufKeys(ByteBuffer in) {
        this.in = in;
    }

    static GgufVocabulary vocabulary(Path file) throws IOException {
        Map<String, Object> keys;
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer map = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
            keys = new GgufKeys(map.order(ByteOrder.LITTLE_ENDIAN)).read();
        }
        String prefix = "tokenizer.ggml.";
        String model = (String) keys.get(prefix + "model");
        boolean llama = model.equals("llama");
        return new GgufVocabulary(
                file.toString(),
                model,
                (String) keys.get(prefix + "pre"),
                strings(keys.get(prefix + "tokens")),
                floats(keys.get(prefix + "scores")),
                ints(keys.get(prefix + "token_type")),
                strings(keys.get(prefix + "merges")),
                ((Number) keys.getOrDefault(prefix + "bos_token_id", -1)).intValue(),
                ((Number) keys.getOrDefault(prefix + "eos_token_id", -1)).intValue(),
                ((Number) keys.getOrDefault(prefix + "unknown_token_id", -1)).intValue(),
                (Boolean) keys.getOrDefault(prefix + "add_bos_token", llama),
                (Boolean) keys.getOrDefault(prefix + "add_eos_token", false),
                (Boolean) keys.getOrDefault(prefix + "add_space_prefix", llama),
                llama && "phi3".equals(keys.get("general.architecture")));
    }

    private Map<String, Object> read() {
        in.position(16);
        long count = in.getLong();
        Map<String, Object> keys = new HashMap<>();
        for (long i = 0; i < count; i++) {
            keys.put(string(), value(in.getInt()));
        }
        return keys;
    }

    private Object value(int type) {
        return switch (type) {
            case 0, 1 -> (int) in.get();
            case 2, 3 -> (int) in.getShort();
            case 4, 5 -> in.getInt();
            case 6 -> in.getFloat();
            case 7 -> in.get() != 0;
            case STRING -> string();
            case ARRAY -> {
                int element = in.getInt();
                long length = in.getLong();
                List<Object> out = new ArrayList<>();
                for (long i = 0; i < length; i++) {
                    out.add(value(element));
                }
                yield out;
            }
            case 10, 11 -> in.getLong();
            case 12 -> in.getDouble();
            default -> throw new IllegalStateException("type " + type);
        };
    }

    private String string() {
        byte[] bytes = new byte[Math.toIntExact(in.getLong())];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static List<String> strings(Object list) {
        return list == null
                ? null
                : ((List<?>) list).stream().map(String.class::cast).toList();
    }

    private static float[] floats(Object list) {
        if (list == null) {
            return null;
        }
        List<?> values = (List<?>) list;
        float[] out = new float[values.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = (Float) values.get(i);
        }
        return out;
    }

    private static int[] ints(Object list) {
        return list == null
                ? null
                : ((List<?>) list).stream().mapToInt(v -> (Integer) v).toArray();
    }
}
