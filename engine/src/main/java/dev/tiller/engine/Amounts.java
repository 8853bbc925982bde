package dev.tiller.engine;

import dev.tiller.loader.TillerException;

/** Turns coefficients with a unit into coefficients of the stored vector, block by block. */
final class Amounts {
    /** Mean length of the residual at a place of the model, where a vector does not say it. */
    @FunctionalInterface
    interface Norms {
        double at(Site site, int block);
    }

    private final Norms norms;

    Amounts(Norms norms) {
        this.norms = norms;
    }

    /** Refuses units that the edit's vector has no data for, or that mean nothing for this edit. */
    void check(Edit e, int blocks) {
        if (e.amount().unit() != Amount.Unit.VECTOR && e.vector().positions() > 1) {
            throw new TillerException(what(e) + "is for a direction, the vector is a matrix of "
                    + e.vector().positions() + " positions; give a number (units of the stored rows)");
        }
        if (e.amount().unit() == Amount.Unit.KL && (blocks != 1 || e.sites().size() != 1)) {
            throw new TillerException(what(e) + "is calibrated for one block at a time, the edit names " + blocks
                    + " blocks and " + e.sites().size() + " sites; name one, or use the unit norm or sd");
        }
    }

    /**
     * What the stored vector is multiplied with at that place.
     *
     * <ul>
     *   <li>norm: value * mean|h| / |v|
     *   <li>sd: value * sd(h.u) / |v|, so that the projection h.u moves by value standard deviations
     *   <li>kl: from the calibration's table
     * </ul>
     */
    float coefficient(Edit e, Site site, int block) {
        double value = e.amount().value();
        if (value == 0 || e.amount().unit() == Amount.Unit.VECTOR) {
            return (float) value;
        }
        double length = Vectors.norm(e.vector().at(site, block));
        Calibration known = e.vector().calibration().get(block);
        double c = switch (e.amount().unit()) {
            case VECTOR -> value;
            case NORM -> value * norm(known, site, block) / length;
            case SD -> value * needed(e, block, known == null ? Double.NaN : known.sd()) / length;
            case KL -> {
                needed(e, block, known == null || known.coefficients().isEmpty() ? Double.NaN : 1);
                yield known.coefficient(value, what(e));
            }
        };
        float f = (float) c;
        if (!Float.isFinite(f)) {
            throw new TillerException(what(e) + "gives the coefficient " + c + " at block " + block);
        }
        return f;
    }

    private double norm(Calibration known, Site site, int block) {
        return known == null || Double.isNaN(known.residualNorm()) ? norms.at(site, block) : known.residualNorm();
    }

    private static double needed(Edit e, int block, double number) {
        if (Double.isNaN(number)) {
            throw new TillerException(what(e) + "needs calibration data for block " + block
                    + " in the vector file; run " + Calibration.COMMAND);
        }
        return number;
    }

    private static String what(Edit e) {
        return "vector \"" + e.vector().name() + "\": coefficient {\""
                + e.amount().unit().key() + "\": " + e.amount().value() + "} ";
    }
}
