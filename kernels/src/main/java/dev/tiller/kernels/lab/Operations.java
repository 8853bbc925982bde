package dev.tiller.kernels.lab;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

/** The operations of the lab. */
public final class Operations {
    private static final List<Operation> ALL = make();

    private Operations() {}

    private static List<Operation> make() {
        List<Operation> all = new ArrayList<>();
        all.add(SiteCases.operation());
        all.add(MatmulCases.operation());
        all.addAll(AttentionCases.all());
        all.addAll(RowCases.all());
        all.addAll(FamilyCases.all());
        all.add(SampleCases.operation());
        return Collections.unmodifiableList(all);
    }

    /** All, the residual site first. */
    public static List<Operation> all() {
        return ALL;
    }

    /** The operation of that name; an error that lists the names otherwise. */
    public static Operation of(String name) {
        return ALL.stream()
                .filter(o -> o.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new TillerException("unknown operation \"" + name + "\"; known: "
                        + ALL.stream().map(Operation::name).collect(Collectors.joining(", "))));
    }
}
