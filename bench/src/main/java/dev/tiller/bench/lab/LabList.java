package dev.tiller.bench.lab;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.kernels.lab.Operation;
import dev.tiller.kernels.lab.Operations;
import dev.tiller.persona.cli.Console;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tiller lab list}: what can be tried. */
@Command(name = "list", header = "List the operations with their variants, shapes and tolerances.")
final class LabList implements Callable<Integer> {
    private final Console console;

    @Option(names = "--json", description = "One JSON object.")
    private boolean json;

    LabList(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (json) {
            JsonObject o = new JsonObject();
            JsonArray all = new JsonArray();
            Operations.all().forEach(op -> all.add(describe(op)));
            o.add("operations", all);
            console.line(new Gson().toJson(o));
        } else {
            Operations.all().forEach(this::show);
        }
        return 0;
    }

    private void show(Operation op) {
        console.line(op.name() + ": " + op.about());
        console.line("  check      " + op.cases().size() + " cases; " + op.tolerance());
        console.line("  bench      " + String.join(" x ", op.dimensions()) + ": "
                + op.shapes().stream().map(Operation::show).collect(Collectors.joining(", ")));
        console.line("  CPU        " + String.join(", ", cpu(op)));
        List<String> entries = op.cudaEntries();
        console.line(
                "  CUDA       " + (entries.isEmpty() ? "none" : op.source() + ".cu: " + String.join(", ", entries)));
        console.line("");
    }

    private static List<String> cpu(Operation op) {
        return op.name().equals("sample")
                ? List.of("scalar (the engine samples by itself)")
                : List.of("scalar", "simd");
    }

    private static JsonObject describe(Operation op) {
        JsonObject o = new JsonObject();
        o.addProperty("name", op.name());
        o.addProperty("about", op.about());
        o.addProperty("cases", op.cases().size());
        o.addProperty("tolerance", op.tolerance());
        o.add("dimensions", array(op.dimensions()));
        o.add("shapes", array(op.shapes().stream().map(Operation::show).toList()));
        o.add("cpu", array(new ArrayList<>(cpu(op))));
        o.addProperty("source", op.source() + ".cu");
        o.add("cuda", array(op.cudaEntries()));
        return o;
    }

    private static JsonArray array(List<String> values) {
        JsonArray a = new JsonArray();
        values.forEach(a::add);
        return a;
    }
}
