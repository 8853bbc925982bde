package dev.tiller.kernels;

/**
 * What an attention layer or MLP adds to the residual: its output, edited, normalised and scaled in families that do so,
 * and edited again.
 *
 * @param values [T, d]; overwritten by the edits, the norm and the scale
 * @param edits edits of the module's own output
 * @param norm norm of the output before it is added, or null
 * @param scale factor on the output after the norm, finite; 1 in most families
 * @param writeEdits edits of what is added
 */
public record ModuleOutput(Buffer values, EditTable edits, Norm norm, float scale, EditTable writeEdits) {
    /** An output that is not scaled. */
    public ModuleOutput(Buffer values, EditTable edits, Norm norm, EditTable writeEdits) {
        this(values, edits, norm, 1, writeEdits);
    }

    /** An output that is added as it is. */
    public static ModuleOutput of(Buffer values) {
        return values == null ? null : new ModuleOutput(values, EditTable.NONE, null, EditTable.NONE);
    }
}
