package dev.tiller.loader.template;

/**
 * Where a rendered conversation says what a message says.
 *
 * @param message index of the message
 * @param role of the message
 * @param span the words of the message as the template prints them, without the space around them that templates may strip
 */
public record RoleSpan(int message, String role, Span span) {}
