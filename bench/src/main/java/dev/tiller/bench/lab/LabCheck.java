package dev.tiller.bench.lab;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.tiller.kernels.Backend;
import dev.tiller.kernels.WeightFormat;
import dev.tiller.kernels.cuda.CudaBackend;
import dev.tiller.kernels.lab.Check;
import dev.tiller.kernels.lab.Operation;
import dev.tiller.kernels.lab.Operations;
import dev.tiller.loader.TillerException;
import dev.tiller.persona.cli.Console;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code tiller lab check}: a kernel against the oracle. */
@Command(
        name = "check",
        header = "Compare a kernel with the oracle on all cases of an operation.",
        description =
                "Exit code 0 if every case agrees; else 1, and the first element that differs of each case is named.")
final class LabCheck implements Callable<Integer> {
    private static final int SHOWN = 10;

    private final Console console;

    @Parameters(paramLabel = "OP", description = "Operation (tiller lab list), or all for the built-in ones.")
    private String name;

    @Mixin
    private LabOptions options;

    LabCheck(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        if (name.equals("all") && options.kernel != null) {
            throw new TillerException("--kernel: name the operation that it replaces");
        }
        List<Operation> operations = name.equals("all") ? Operations.all() : List.of(Operations.of(name));
        JsonArray results = new JsonArray();
        boolean good = true;
        try (Backend backend = options.open(operations.getFirst())) {
            console.note(backend.description());
            for (Operation operation : operations) {
                if (operations.size() == 1) {
                    LabOptions.require(operation, backend);
                } else if (!LabOptions.offers(operation, backend)) {
                    console.note(operation.name() + ": not offered by this backend, skipped");
                    continue;
                }
                good &= check(operation, backend, results);
            }
        }
        if (options.json) {
            JsonObject o = new JsonObject();
            o.add("operations", results);
            console.line(new Gson().toJson(o));
        }
        return good ? 0 : 1;
    }

    private boolean check(Operation operation, Backend backend, JsonArray results) {
        Map<String, Boolean> cases = new LinkedHashMap<>(); // whether they agree
        List<String> faults = new ArrayList<>();
        for (WeightFormat operand : options.operands()) {
            Map<String, Boolean> judged = new LinkedHashMap<>();
            List<String> found = new ArrayList<>();
            run(operation, operand, backend, judged, found);
            if (!judged.isEmpty() && !options.ran(operation, operand, backend)) {
                options.say(
                        console,
                        "  " + operand.name().toLowerCase(Locale.ROOT) + ": " + options.kernel
                                + " has no kernel that these cases ask for; not judged");
                continue;
            }
            cases.putAll(judged);
            faults.addAll(found);
        }
        if (cases.isEmpty()) {
            throw new TillerException(options.kernel + ": none of its kernels was asked for, so nothing was judged; the"
                    + " built-in ones are " + String.join(", ", operation.cudaEntries()));
        }
        report(operation, cases.size(), faults, results);
        return faults.isEmpty();
    }

    /** Runs the cases of one operand type in all orders of threads; the first fault of each counts. */
    private void run(
            Operation operation,
            WeightFormat operand,
            Backend backend,
            Map<String, Boolean> cases,
            List<String> faults) {
        for (int order : options.threadOrders(backend)) {
            if (backend instanceof CudaBackend gpu) {
                gpu.controls().threadOrder(order);
            }
            Check.run(operation, backend, Set.of(operand), r -> {
                boolean agreed = cases.getOrDefault(r.labCase().name(), true);
                if (agreed && r.fault() != null) {
                    faults.add(r.fault() + (order == 0 ? "" : " (threads in another order, SIMT_SEED=" + order + ")"));
                }
                cases.put(r.labCase().name(), agreed && r.fault() == null);
            });
        }
        if (backend instanceof CudaBackend gpu) {
            gpu.controls().threadOrder(0);
        }
    }

    private void report(Operation operation, int cases, List<String> faults, JsonArray results) {
        faults.stream().limit(SHOWN).forEach(f -> options.say(console, "  " + f));
        if (faults.size() > SHOWN) {
            options.say(console, "  and " + (faults.size() - SHOWN) + " more cases");
        }
        options.say(
                console, String.format("%-15s %d of %d cases agree", operation.name(), cases - faults.size(), cases));
        JsonObject o = new JsonObject();
        o.addProperty("operation", operation.name());
        o.addProperty("cases", cases);
        o.addProperty("failed", faults.size());
        JsonArray first = new JsonArray();
        faults.stream().limit(SHOWN).forEach(first::add);
        o.add("faults", first);
        results.add(o);
    }
}
