package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** What must hold of a plan's edits before they can be compiled for a model: blocks, widths, origins, operations, spans. */
final class PlanChecks {
    private final int blocks;
    private final int width;
    private final int maxPositions;
    private final boolean parallel;
    private final Supplier<String> fingerprint;

    /**
     * @param blocks blocks L of the model
     * @param width model width d
     * @param maxPositions longest context
     * @param parallel attention and MLP of a block read the same residual
     * @param fingerprint of the model, asked for only if a vector has one
     */
    PlanChecks(int blocks, int width, int maxPositions, boolean parallel, Supplier<String> fingerprint) {
        this.blocks = blocks;
        this.width = width;
        this.maxPositions = maxPositions;
        this.parallel = parallel;
        this.fingerprint = fingerprint;
    }

    /** The blocks of an edit. */
    List<Integer> blocksOf(Edit edit) {
        return edit.blocks() != null
                ? edit.blocks()
                : IntStream.range(0, blocks).boxed().toList();
    }

    /** Throws what is wrong with an edit. */
    void check(Edit e) {
        SteeringVector v = e.vector();
        origin(v);
        if (e.second() != null) {
            origin(e.second());
        }
        if (v.op() != null && !v.op().serves(e.op())) {
            throw new TillerException("vector \"" + v.name() + "\": was made for the operation " + v.op().key()
                    + ", the plan's op is " + e.op().key() + " (--force takes it nevertheless)");
        }
        for (int block : blocksOf(e)) {
            range("block", block, v);
            for (Site site : e.sites()) {
                exists(site, v);
                direction(v, site, block);
                if (e.second() != null) {
                    direction(e.second(), site, block);
                }
            }
        }
        if (e.second() != null) {
            single("second", e.second());
        }
        if (e.reference() != null) {
            reference(e);
        }
        if (e.span() instanceof Span.Range r && r.from() >= maxPositions) {
            throw new TillerException("steering plan: span " + r + " of vector \"" + v.name()
                    + "\" begins beyond the model's context of " + maxPositions + " positions");
        }
        if (e.span() == Span.PROMPT && e.schedule() instanceof Schedule.After) {
            throw new TillerException("steering plan: vector \"" + v.name() + "\": span prompt and schedule after"
                    + " contradict each other: the prompt is before every generated token");
        }
        if (v.positions() > 1) {
            matrix(e);
        }
        if (e.when() != null) {
            condition(e.when());
            single("when: probe", e.when().probe());
            if (e.when().measure() == Condition.Measure.TOKEN) {
                blocksOf(e).forEach(b -> e.sites().forEach(site -> before(e.when(), e.vector(), site, b)));
            }
        }
    }

    /** In parallel blocks nothing lies between attention and MLP. */
    private void exists(Site site, SteeringVector v) {
        if (parallel && site == Site.RESID_MID) {
            throw new TillerException(
                    "steering plan: vector \"" + v.name() + "\": site resid_mid does not exist in this"
                            + " model: attention and MLP of its blocks read the same residual, so nothing lies between them;"
                            + " accepted: resid_pre, resid_post, attn_out, attn_write, mlp_out, mlp_write");
        }
    }

    private static void single(String what, SteeringVector v) {
        if (v.positions() > 1) {
            throw new TillerException(
                    "steering plan: " + what + " \"" + v.name() + "\" is a matrix of positions; a direction is needed");
        }
    }

    /** A mean residual; it may be zero. */
    private void reference(Edit e) {
        SteeringVector mean = e.reference();
        single("reference", mean);
        origin(mean);
        for (int block : blocksOf(e)) {
            for (Site site : e.sites()) {
                float[] m = mean.at(site, block);
                if (m.length != width) {
                    throw new TillerException("reference \"" + mean.name() + "\": width " + m.length
                            + ", the model's residual stream has width " + width);
                }
                if (!Double.isFinite(Vectors.norm(m))) {
                    throw new TillerException(
                            "reference \"" + mean.name() + "\": norm at block " + block + " is not finite");
                }
            }
        }
    }

    /** Measured on every token, a probe must be read before the edit in the same pass. */
    private static void before(Condition c, SteeringVector v, Site site, int block) {
        if (c.block() > block || c.block() == block && c.site().reached() > site.reached()) {
            throw new TillerException("steering plan: when: probe \""
                    + c.probe().name() + "\" reads "
                    + c.site().key() + " of block " + c.block() + ", which comes after the edit of \"" + v.name()
                    + "\" at " + site.key() + " of block " + block + "; measured on every token it must be read at or"
                    + " before the edited place");
        }
    }

    private void range(String what, int block, SteeringVector v) {
        if (block < 0 || block >= blocks) {
            throw new TillerException("steering plan: " + what + " " + block + " of vector \"" + v.name()
                    + "\" is out of range; the model has blocks 0.." + (blocks - 1)
                    + (block < 0 ? " (counting from the end is for the command line only)" : ""));
        }
    }

    private void origin(SteeringVector v) {
        if (v.modelFingerprint() != null && !v.modelFingerprint().equals(fingerprint.get())) {
            throw new TillerException("vector \"" + v.name() + "\": was found in another model (fingerprint "
                    + brief(v.modelFingerprint()) + "), this one is " + brief(fingerprint.get())
                    + " (--force takes it nevertheless)");
        }
    }

    private static String brief(String fingerprint) {
        return fingerprint == null ? "unknown" : fingerprint.substring(0, Math.min(12, fingerprint.length()));
    }

    private void direction(SteeringVector v, Site site, int block) {
        float[] direction = v.at(site, block);
        if (direction.length != width * v.positions()) {
            throw new TillerException("vector \"" + v.name() + "\": width " + direction.length / v.positions()
                    + ", the model's residual stream has width " + width);
        }
        double norm = Vectors.norm(direction);
        if (!(norm > 0) || Double.isInfinite(norm)) {
            throw new TillerException(
                    "vector \"" + v.name() + "\": norm at block " + block + " is " + norm + "; a direction is needed");
        }
    }

    private static void matrix(Edit e) {
        String what = "steering plan: vector \"" + e.vector().name() + "\" holds "
                + e.vector().positions() + " positions; ";
        if (e.op() != Op.ADD) {
            throw new TillerException(what + "only op add takes such a matrix, found op " + e.op().key());
        }
        if (!(e.span() instanceof Span.Range r)
                || r.to() - r.from() != e.vector().positions()) {
            throw new TillerException(
                    what + "it needs \"at\": i, or a span {\"from\": i, \"to\": j} of that length, found " + e.span());
        }
    }

    private void condition(Condition c) {
        range("when: block", c.block(), c.probe());
        if (c.site() != Site.RESID_PRE && c.site() != Site.RESID_MID && c.site() != Site.RESID_POST) {
            throw new TillerException("steering plan: when: site " + c.site().key()
                    + " cannot be measured; accepted: resid_pre, resid_mid, resid_post");
        }
        exists(c.site(), c.probe());
        direction(c.probe(), c.site(), c.block());
        origin(c.probe());
    }

    /** Edits of matrices become edits of their rows, each at its position; rows of zeros are left out. */
    List<Edit> byPosition(List<Edit> edits) {
        List<Edit> out = new ArrayList<>();
        for (Edit e : edits) {
            if (e.vector().positions() == 1) {
                out.add(e);
                continue;
            }
            int from = ((Span.Range) e.span()).from();
            for (int i = 0; i < e.vector().positions(); i++) {
                SteeringVector row = e.vector().position(i);
                if (row != null) {
                    List<Integer> at = blocksOf(e).stream()
                            .filter(b -> row.uniform() != null || row.blocks().contains(b))
                            .toList();
                    out.add(e.with()
                            .vector(row)
                            .blocks(at)
                            .span(new Span.Range(from + i, from + i + 1))
                            .build());
                }
            }
        }
        return out;
    }
}
