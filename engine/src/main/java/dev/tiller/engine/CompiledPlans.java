package dev.tiller.engine;

import java.util.LinkedHashMap;
import java.util.Map;

/** The plans of a model that were used last, compiled. */
final class CompiledPlans {
    private static final int MOST = 512;

    private final Model model;
    private final ResidualNorms residualNorms;
    private final Map<SteeringPlan, CompiledPlan> compiled = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<SteeringPlan, CompiledPlan> eldest) {
            return size() > MOST;
        }
    };

    CompiledPlans(Model model) {
        this.model = model;
        this.residualNorms = new ResidualNorms(model);
    }

    /** Checked against the model when it is first asked for. */
    CompiledPlan of(SteeringPlan plan) {
        return compiled.computeIfAbsent(plan, this::compile);
    }

    private CompiledPlan compile(SteeringPlan plan) {
        ModelSpec spec = model.spec();
        PlanChecks checks =
                new PlanChecks(spec.blocks(), spec.width(), spec.maxPositions(), spec.parallel(), model::fingerprint);
        return CompiledPlan.compile(plan, checks, spec.blocks(), residualNorms);
    }
}
