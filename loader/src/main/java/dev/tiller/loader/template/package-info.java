/**
 * A small Jinja interpreter for Hugging Face chat templates: {@link dev.tiller.loader.template.ChatTemplate} turns
 * messages into the text a chat model was trained on. It follows the environment that the transformers library sets up
 * (Jinja2 3.1, immutable sandbox, trim_blocks, lstrip_blocks, loop controls, generation blocks), with Python's strings,
 * numbers and formatting. Every fault of a template or of its input is thrown; partial text never leaves this package.
 */
package dev.tiller.loader.template;
