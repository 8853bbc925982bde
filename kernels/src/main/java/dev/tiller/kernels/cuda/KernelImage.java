package dev.tiller.kernels.cuda;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Compiled kernels that the driver can load: PTX as text, or whatever else it takes (a cubin, a module of the emulator).
 *
 * @param name where it comes from, for messages
 * @param content the bytes without the NUL that text needs at its end
 */
record KernelImage(String name, byte[] content) {
    private static final Pattern ENTRY = Pattern.compile("\\.entry\\s+(\\w+)\\s*\\(([^)]*)\\)");
    private static final Pattern PARAMETER =
            Pattern.compile("\\.param\\s+(?:\\.align\\s+\\d+\\s+)?\\.([a-z]+\\d+)[^,]*");

    /** What a kernel's parameter is: the types that C has for it take one slot of the parameter list each. */
    enum Parameter {
        /** An address, or another whole number of 64 bits. */
        LONG,
        INT,
        FLOAT,
        DOUBLE,
        /** A struct or another type that cannot be set by value here. */
        OTHER
    }

    /** A copy that ends with NUL, as the driver wants text. */
    byte[] terminated() {
        return Arrays.copyOf(content, content.length + 1);
    }

    /** The kernels of a PTX text with their parameters; empty for other images. */
    Map<String, List<Parameter>> entries() {
        Map<String, List<Parameter>> out = new LinkedHashMap<>();
        Matcher m = ENTRY.matcher(new String(content, StandardCharsets.ISO_8859_1));
        while (m.find()) {
            List<Parameter> parameters = new ArrayList<>();
            Matcher p = PARAMETER.matcher(m.group(2));
            while (p.find()) {
                boolean array = p.group().contains("[");
                parameters.add(array ? Parameter.OTHER : parameter(p.group(1)));
            }
            out.put(m.group(1), parameters);
        }
        return out;
    }

    private static Parameter parameter(String type) {
        return switch (type) {
            case "u64", "s64", "b64" -> Parameter.LONG;
            case "u32", "s32", "b32" -> Parameter.INT;
            case "f32" -> Parameter.FLOAT;
            case "f64" -> Parameter.DOUBLE;
            default -> Parameter.OTHER;
        };
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof KernelImage i && name.equals(i.name) && Arrays.equals(content, i.content);
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + Arrays.hashCode(content);
    }

    @Override
    public String toString() {
        return name;
    }
}
