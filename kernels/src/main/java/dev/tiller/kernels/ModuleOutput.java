package dev.tiller.kernels;

/**
 * What an attention layer or MLP adds to the residual: its output, edited, normalised in families that do so, and edited
 * again.
 *
 * @param values [T, d]; overwritten by the edits and the norm
 * @param edits edits of the module's own output
 * @param norm norm of the output before it is added, or null
 * @param writeEdits edits of what is added
 */
public record ModuleOutput(Buffer values, EditTable edits, Norm norm, EditTable writeEdits) {
    /** An output that is added as it is. */
    public static ModuleOutput of(Buffer values) {
        return values == null ? null : new ModuleOutput(values, EditTable.NONE, null, EditTable.NONE);
    }
}
