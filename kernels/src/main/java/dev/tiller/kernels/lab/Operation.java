package dev.tiller.kernels.lab;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * One operation of a {@link Backend} as the lab sees it: what it is, on which cases every implementation of it is judged,
 * and at which shapes it is timed.
 *
 * @param name short name, e.g. "site"
 * @param about one line
 * @param entry name of its CUDA kernels without the operand type, e.g. "site" for site_bf16
 * @param source CUDA file it comes from, without ending
 * @param tolerance how far an element may be off, in words
 * @param dimensions names of the numbers that make a shape, e.g. rows, width
 * @param shapes default shapes of the benchmark
 * @param typed true if the kernel exists once for each operand type
 * @param methods methods of {@link Backend} that a {@link Variant} may override for it
 * @param waits true if the result comes back to the host, so that it can be no part of a step
 * @param cases cases of the check
 * @param benchmark a case of the benchmark: shape and operand type
 */
public record Operation(
        String name,
        String about,
        String entry,
        String source,
        String tolerance,
        List<String> dimensions,
        List<int[]> shapes,
        boolean typed,
        List<String> methods,
        boolean waits,
        List<LabCase> cases,
        Benchmark benchmark) {

    private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)\\(");

    /** Whether that backend has it at all. */
    public boolean offeredBy(Backend backend) {
        return switch (name) {
            case "sample" -> backend.canSample();
            case "mixture" -> backend.supportsMixture();
            default -> true;
        };
    }

    /** Makes the case that is timed. */
    public interface Benchmark {
        LabCase at(int[] shape, WeightFormat operand);
    }

    /** CUDA kernels of this operation that come with the program: its variants for each operand type. */
    public List<String> cudaEntries() {
        try (InputStream in = Backend.class.getResourceAsStream("cuda/" + source + ".ptx")) {
            if (in == null) {
                return List.of();
            }
            String ptx = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
            return ENTRY.matcher(ptx)
                    .results()
                    .map(m -> m.group(1))
                    .filter(this::isEntry)
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The kernel among others: site_bf16 is one of site, and attend_decode_bf16_g4 one of attend_decode. */
    public boolean isEntry(String name) {
        return name.matches(entry + (typed ? "_(f32|bf16|f16)(_.*)?" : "(_naive|_split)?"));
    }

    /** Whether an entry of this operation is for that operand type. */
    public boolean isEntry(String name, WeightFormat operand) {
        String type = operand.name().toLowerCase(Locale.ROOT);
        return isEntry(name) && (!typed || name.matches(entry + "_" + type + "(_.*)?"));
    }

    /** A shape as text, e.g. "1x4096". */
    public static String show(int[] shape) {
        StringBuilder text = new StringBuilder();
        for (int n : shape) {
            text.append(text.isEmpty() ? "" : "x").append(n);
        }
        return text.toString();
    }
}
