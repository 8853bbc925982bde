package dev.tiller.loader.template;

/**
 * One turn of a conversation.
 *
 * @param role who speaks: "system", "user", "assistant", or what else the template knows
 * @param content the text
 */
public record Message(String role, String content) {}
