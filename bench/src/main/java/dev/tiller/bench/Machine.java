package dev.tiller.bench;

import dev.tiller.engine.Model;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What the numbers were measured on. */
public final class Machine {
    private static final Path CPU = Path.of("/proc/cpuinfo");

    /** Instruction sets that decide rates; the last one is out of reach of the Vector API but not of peers. */
    private static final List<String> NOTABLE = List.of("avx2", "avx512f", "avx512_bf16", "asimd", "sve", "bf16");

    private Machine() {}

    /** Processor, cores, Java, in one line. */
    public static String describe() {
        String runtime = System.getProperty("java.vm.vendor") + " " + Runtime.version();
        return processor() + ", " + Runtime.getRuntime().availableProcessors() + " cores; "
                + System.getProperty("os.name") + "; Java " + runtime;
    }

    /** The same, and what runs a model on it. */
    static String with(Model model) {
        return describe() + "; " + model.backend().description();
    }

    private static String processor() {
        try {
            List<String> lines = Files.isReadable(CPU) ? Files.readAllLines(CPU) : List.of();
            String name = field(lines, "model name").orElse(System.getProperty("os.arch"));
            List<String> flags = List.of(field(lines, "flags")
                    .or(() -> field(lines, "Features"))
                    .orElse("")
                    .split(" "));
            List<String> has = NOTABLE.stream().filter(flags::contains).toList();
            return has.isEmpty() ? name : name + " (" + String.join(", ", has) + ")";
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }

    private static Optional<String> field(List<String> lines, String key) {
        return lines.stream()
                .filter(l -> l.startsWith(key))
                .map(l -> l.substring(l.indexOf(':') + 1).strip())
                .findFirst();
    }
}
