package dev.tiller.bench.lab;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.tiller.bench.Outcome;
import dev.tiller.loader.Json;
import dev.tiller.loader.SharedFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tiller lab} from the command line; CUDA kernels run on a GPU if there is one, else emulated. */
class LabCommandTest {
    private static final Path TEMPLATES = SharedFiles.repository("docs/kernel-lab");
    private static final Path CUDA = TEMPLATES.resolve("site_template.cu");
    private static final Path JAVA = TEMPLATES.resolve("SiteTemplate.java");

    private static Outcome lab(String... args) {
        Outcome o = Outcome.of(
                Stream.concat(Stream.of("lab"), List.of(args).stream()).toList());
        Assumptions.assumeFalse(
                o.err().contains("none can be emulated"),
                "CUDA kernels were not tried: " + o.err().strip());
        return o;
    }

    private static Outcome check(Path kernel, String... more) {
        String[] args = {"check", "site", "--kernel", kernel.toString()};
        return lab(Stream.concat(List.of(args).stream(), List.of(more).stream()).toArray(String[]::new));
    }

    private static void fails(Outcome o, int code, String... messages) {
        assertEquals(code, o.code(), o.out() + o.err());
        for (String m : messages) {
            assertTrue((o.out() + o.err()).contains(m), o.out() + o.err());
        }
    }

    private static Path changed(Path source, Path folder, String text, String with) throws Exception {
        String content = Files.readString(source);
        assertTrue(content.contains(text), text);
        Path out = folder.resolve(source.getFileName());
        Files.writeString(out, content.replace(text, with));
        return out;
    }

    @Test
    void listShowsOperationsWithTheirVariants() {
        Outcome o = lab("list");
        assertEquals(0, o.code(), o.err());
        for (String wanted :
                List.of("site_bf16_naive", "attend_decode_bf16_g4", "gemv_f32_r1", "scalar, simd", "cases")) {
            assertTrue(o.out().contains(wanted), o.out());
        }
        JsonObject json = Json.parseObject(lab("list", "--json").out(), "out");
        json.getAsJsonArray("operations").forEach(op -> {
            JsonObject operation = op.getAsJsonObject();
            assertTrue(operation.get("cases").getAsInt() >= 15, operation.toString());
            boolean cpuOnly = operation.get("name").getAsString().equals("mixture");
            assertEquals(cpuOnly, operation.getAsJsonArray("cuda").isEmpty(), operation.toString());
        });
    }

    @Test
    void theTemplatesAgreeWithTheOracle() {
        assertEquals(0, check(JAVA).code());
        Outcome o = check(CUDA, "--operand", "f32", "--json");
        assertEquals(0, o.code(), o.err());
        assertTrue(o.out().contains("\"failed\":0"), o.out());
    }

    @Test
    void faultsAreNamed(@TempDir Path folder) throws Exception {
        Path sign = changed(CUDA, folder, "EDIT_ABLATE ? -p", "EDIT_ABLATE ? p");
        fails(check(sign, "--operand", "bf16"), 1, "residual [", "expected", "found", "of 40 cases agree");
        Path tail = changed(CUDA, folder, "taps.rows && i < d", "taps.rows && i < d - 1");
        fails(check(tail, "--operand", "f32"), 1, "copied rows [");
        Path barrier = changed(CUDA, folder, "return block_sum(sum, red);", SUM_WITHOUT_BARRIER);
        fails(check(barrier, "--operand", "f32"), 1, "threads in another order");
        Path offset = changed(JAVA, folder, "weight[i] + norm.offset()", "weight[i]");
        fails(check(offset), 1, "normed [");
    }

    /** The sum over a block whose area is used again before all have read it. */
    private static final String SUM_WITHOUT_BARRIER = """
            sum = warp_sum(sum);
                if ((threadIdx.x & 31) == 0) red[threadIdx.x >> 5] = sum;
                __syncthreads();
                float all = (threadIdx.x & 31) < blockDim.x >> 5 ? red[threadIdx.x & 31] : 0.f;
                return warp_sum(all);""";

    /** A built-in source as it is, whose entries are made by macros. */
    @Test
    void aCopyOfABuiltInKernelAgrees() {
        Path attention = SharedFiles.repository("kernels/src/main/cuda/attention.cu");
        Outcome o = lab("check", "attend_decode", "--kernel", attention.toString(), "--operand", "bf16");
        fails(o, 0, "24 of 24 cases agree");
    }

    @Test
    void filesThatCannotBeUsedAreRefused(@TempDir Path folder) throws Exception {
        Path broken = changed(CUDA, folder, "float sum = 0.f;", "float sum = 0.f");
        fails(check(broken), 1, "cannot compile", "site_template.cu:16");
        Path other = folder.resolve("other.cu");
        Files.writeString(other, "extern \"C\" __global__ void other(float* x) { x[0] = 0.f; }\n");
        fails(check(other, "--operand", "f32"), 1, "none of its kernels was asked for");
        fails(check(folder.resolve("missing.cu")), 1, "no such file");
        fails(check(folder.resolve("kernel.txt")), 1, "expected a kernel in a .cu, .class or .java file");
        fails(check(CUDA, "--backend", "simd"), 1, "expected --backend cuda");
        fails(lab("check", "softmax"), 1, "unknown operation");
    }

    @Test
    void benchPutsAKernelBesideTheBuiltInOne() {
        String[] options = {"--shapes", "1x64x1", "--rounds", "2", "--seconds", "0.05", "--json"};
        String[] args = {"bench", "site", "--kernel", JAVA.toString(), "--threads", "1"};
        Outcome o = lab(
                Stream.concat(List.of(args).stream(), List.of(options).stream()).toArray(String[]::new));
        assertEquals(0, o.code(), o.err());
        JsonObject json = Json.parseObject(o.out(), "out");
        assertEquals(2, json.getAsJsonArray("rows").size());
        assertTrue(json.get("ceiling_gb_per_second").getAsDouble() > 0);
        json.getAsJsonArray("rows").forEach(row -> {
            JsonObject r = row.getAsJsonObject();
            assertTrue(r.getAsJsonObject("ns").get("median").getAsDouble() > 0, row.toString());
            assertTrue(r.get("share_of_ceiling").getAsDouble() > 0, row.toString());
        });
        fails(lab("bench", "site", "--shapes", "1x2"), 1, "expected rows x width x edits");
        fails(lab("bench", "sample", "--shapes", "1x64"), 1, "leaves sampling to the engine");
        String[] small = {"--shapes", "1x64", "--rounds", "1", "--seconds", "0.01"};
        assertEquals(
                0, lab(prepend(small, "bench", "argmax", "--backend", "cuda")).code());
    }

    @Test
    void runGeneratesTextWithAKernelInPlace(@TempDir Path folder) throws Exception {
        String model = SharedFiles.repository("models/microworld").toString();
        String[] options = {"--model", model, "--prompt", "What", "--max-tokens", "3", "--temperature", "0", "--json"};
        Outcome plain = lab(prepend(options, "run", "site=" + JAVA));
        assertEquals(0, plain.code(), plain.err());
        Outcome steered = lab(prepend(options, "run", "site=" + CUDA));
        assertEquals(0, steered.code(), steered.err());
        assertTrue(steered.err().contains("your kernels that ran: site_bf16"), steered.err());
        Path unused = changed(CUDA, folder, "SITE(bf16, site_bf16)\nSITE(f16, site_f16)\n", "");
        Path renamed = changed(unused, folder, "SITE(float, site_f32)", "SITE(f16, site_f16)");
        fails(lab(prepend(options, "run", "site=" + renamed)), 1, "no kernel of site was asked for");
    }

    private static String[] prepend(String[] options, String... first) {
        return Stream.concat(List.of(first).stream(), List.of(options).stream()).toArray(String[]::new);
    }
}
