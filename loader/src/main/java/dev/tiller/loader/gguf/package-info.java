/** GGUF files: the container, its block formats, and models of the llama and qwen2 architectures stored in it. */
package dev.tiller.loader.gguf;
