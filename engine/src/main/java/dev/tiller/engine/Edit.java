package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.Arrays;
import java.util.List;

/**
 * One thing that a plan asks for. Made by the factories below, or by {@link #of} and a {@link Builder} for what they do not
 * name; {@link #with} changes an edit. What an operation does not use has its default.
 *
 * @param op operation
 * @param vector direction(s)
 * @param second second direction of ROTATE, else null
 * @param reference mean residual of REPLACE_MEAN whose projection is restored; null if low is that projection, or if what
 *     the vector's calibration stores is restored
 * @param blocks 0-based block indices; null for all blocks of the model
 * @param sites where in each block
 * @param amount strength of ADD
 * @param strength share of the full effect of ABLATE, REPLACE_MEAN, CLAMP, SET, in [0, 1]
 * @param low lower bound of CLAMP, value of SET and of REPLACE_MEAN (a projection on the unit vector; NaN for what the
 *     reference or the vector's calibration says)
 * @param high upper bound of CLAMP, else equal to low
 * @param degrees angle of ROTATE from the first vector towards the second
 * @param preserveNorm whether h is rescaled to its norm before this edit
 * @param span positions
 * @param schedule how coefficient or strength change while the answer grows; null: not at all
 * @param when a condition; null: always
 */
public record Edit(
        Op op,
        SteeringVector vector,
        SteeringVector second,
        SteeringVector reference,
        List<Integer> blocks,
        List<Site> sites,
        Amount amount,
        float strength,
        float low,
        float high,
        float degrees,
        boolean preserveNorm,
        Span span,
        Schedule schedule,
        Condition when) {

    public Edit {
        if (op == null || vector == null || span == null || amount == null) {
            throw new TillerException("edit: operation, vector, coefficient and span are needed");
        }
        String what = "edit " + op.key() + " of \"" + vector.name() + "\": ";
        blocks = blocks == null ? null : List.copyOf(blocks);
        sites = List.copyOf(sites);
        if (blocks != null && blocks.isEmpty() || sites.isEmpty()) {
            throw new TillerException(what + "no " + (sites.isEmpty() ? "site" : "block") + " is named");
        }
        if (!(strength >= 0 && strength <= 1)) {
            throw new TillerException(what + "strength " + strength + " is outside 0..1");
        }
        bounds(what, op, low, high, reference);
        if ((second != null) != (op == Op.ROTATE)) {
            throw new TillerException(what + (op == Op.ROTATE ? "needs" : "has no") + " second vector");
        }
        if (!Float.isFinite(degrees)) {
            throw new TillerException(what + "degrees " + degrees + " is not a finite number");
        }
        if (reference != null && op != Op.REPLACE_MEAN) {
            throw new TillerException(what + "has no reference; only replace_mean does");
        }
    }

    private static void bounds(String what, Op op, float low, float high, SteeringVector reference) {
        if (op == Op.REPLACE_MEAN && reference != null && !Float.isNaN(low)) {
            throw new TillerException(what + "value " + low + " and a reference contradict each other");
        }
        boolean stored = op == Op.REPLACE_MEAN && Float.isNaN(low) && Float.isNaN(high);
        if (!stored && op.aims() && !(Float.isFinite(low) && low == high)) {
            throw new TillerException(what + "value " + low + " is not a finite number");
        }
        if (!stored && !(low <= high)) {
            throw new TillerException(what + "lower bound " + low + " is not at or below upper bound " + high);
        }
    }

    /** An edit of that operation, generated positions, block outputs, all blocks; the rest by the builder's methods. */
    public static Builder of(Op op, SteeringVector vector) {
        return new Builder(op, vector);
    }

    /** This edit, to be changed. */
    public Builder with() {
        return new Builder(this);
    }

    /** h += coefficient * v at the outputs of those blocks, generated positions. */
    public static Edit add(SteeringVector vector, float coefficient, int... blocks) {
        return of(Op.ADD, vector).coefficient(coefficient).blocks(boxed(blocks)).build();
    }

    /** h -= (h.u) u at the outputs of those blocks (all blocks if none is named), generated positions. */
    public static Edit ablate(SteeringVector vector, int... blocks) {
        return of(Op.ABLATE, vector)
                .blocks(blocks.length == 0 ? null : boxed(blocks))
                .build();
    }

    /** Moves the projection h.u into [low, high] at the outputs of those blocks, generated positions. */
    public static Edit clamp(SteeringVector vector, float low, float high, int... blocks) {
        return of(Op.CLAMP, vector).bounds(low, high).blocks(boxed(blocks)).build();
    }

    /** Moves the projection h.u to that value at the outputs of those blocks, generated positions. */
    public static Edit set(SteeringVector vector, float value, int... blocks) {
        return of(Op.SET, vector).value(value).blocks(boxed(blocks)).build();
    }

    /**
     * Turns the part of h in the plane of both vectors to that angle from the first towards the second, at the outputs of
     * those blocks, generated positions.
     */
    public static Edit rotate(SteeringVector vector, SteeringVector second, float degrees, int... blocks) {
        return of(Op.ROTATE, vector)
                .second(second)
                .degrees(degrees)
                .blocks(boxed(blocks))
                .build();
    }

    /** Removes h.u and restores that projection at the outputs of those blocks, generated positions. */
    public static Edit replaceMean(SteeringVector vector, float projection, int... blocks) {
        return of(Op.REPLACE_MEAN, vector)
                .value(projection)
                .blocks(boxed(blocks))
                .build();
    }

    /** Removes h.u and restores that of a mean residual at the outputs of those blocks, generated positions. */
    public static Edit replaceMean(SteeringVector vector, SteeringVector mean, int... blocks) {
        return of(Op.REPLACE_MEAN, vector).reference(mean).blocks(boxed(blocks)).build();
    }

    /** The same edit, with h rescaled to its norm before it. */
    public Edit preservingNorm() {
        return with().preserveNorm(true).build();
    }

    /** The same edit on other positions. */
    public Edit over(Span positions) {
        return with().span(positions).build();
    }

    /** The same edit at other sites. */
    public Edit at(Site... where) {
        return with().sites(List.of(where)).build();
    }

    /** The number of the amount; in units of the stored vector unless the amount says otherwise. */
    public float coefficient() {
        return amount.value();
    }

    /** True if it changes nothing: coefficient or strength 0. */
    public boolean isIdle() {
        return op == Op.ADD ? amount.value() == 0 : strength == 0;
    }

    private static List<Integer> boxed(int[] blocks) {
        return Arrays.stream(blocks).boxed().toList();
    }

    /** Collects the parts of an edit; each method gives the builder back. */
    public static final class Builder {
        private final Op op;
        private SteeringVector vector;
        private SteeringVector second;
        private SteeringVector reference;
        private List<Integer> blocks;
        private List<Site> sites = List.of(Site.RESID_POST);
        private Amount amount = Amount.of(1);
        private float strength = 1;
        private float low;
        private float high;
        private float degrees;
        private boolean preserveNorm;
        private Span span = Span.GENERATION;
        private Schedule schedule;
        private Condition when;

        private Builder(Op op, SteeringVector vector) {
            this.op = op;
            this.vector = vector;
            if (op == Op.CLAMP || op != null && op.aims()) {
                low = Float.NaN; // to be given
                high = Float.NaN;
            }
        }

        private Builder(Edit e) {
            this(e.op, e.vector);
            second = e.second;
            reference = e.reference;
            blocks = e.blocks;
            sites = e.sites;
            amount = e.amount;
            strength = e.strength;
            low = e.low;
            high = e.high;
            degrees = e.degrees;
            preserveNorm = e.preserveNorm;
            span = e.span;
            schedule = e.schedule;
            when = e.when;
        }

        public Builder vector(SteeringVector v) {
            vector = v;
            return this;
        }

        public Builder second(SteeringVector v) {
            second = v;
            return this;
        }

        public Builder reference(SteeringVector mean) {
            reference = mean;
            return this;
        }

        /** 0-based; null for all blocks. */
        public Builder blocks(List<Integer> which) {
            blocks = which;
            return this;
        }

        public Builder sites(List<Site> where) {
            sites = where;
            return this;
        }

        public Builder amount(Amount a) {
            amount = a;
            return this;
        }

        /** In units of the stored vector. */
        public Builder coefficient(float c) {
            return amount(Amount.of(c));
        }

        /** Share of the full effect, in [0, 1]. */
        public Builder strength(float share) {
            strength = share;
            return this;
        }

        /** Of the projection on the unit vector. */
        public Builder bounds(float lower, float upper) {
            low = lower;
            high = upper;
            return this;
        }

        /** The projection that SET and REPLACE_MEAN aim at. */
        public Builder value(float projection) {
            return bounds(projection, projection);
        }

        /** From the first vector towards the second. */
        public Builder degrees(float angle) {
            degrees = angle;
            return this;
        }

        public Builder preserveNorm(boolean preserve) {
            preserveNorm = preserve;
            return this;
        }

        public Builder span(Span positions) {
            span = positions;
            return this;
        }

        public Builder schedule(Schedule s) {
            schedule = s;
            return this;
        }

        public Builder when(Condition condition) {
            when = condition;
            return this;
        }

        /** The edit; what contradicts itself is refused. */
        public Edit build() {
            return new Edit(
                    op,
                    vector,
                    second,
                    reference,
                    blocks,
                    sites,
                    amount,
                    strength,
                    low,
                    high,
                    degrees,
                    preserveNorm,
                    span,
                    schedule,
                    when);
        }
    }
}
