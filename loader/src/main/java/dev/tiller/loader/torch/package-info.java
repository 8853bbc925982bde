/**
 * Files of torch.save: read without running anything, by a pickle reader that knows a handful of names, and written in the
 * form that torch.load(weights_only=True) takes.
 */
package dev.tiller.loader.torch;
