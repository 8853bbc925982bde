package dev.tiller.persona.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

/** The names under which commands are made on demand are those that they have. */
class MainCommandsTest {
    @Test
    void namesAreThoseOfTheAnnotations() {
        Main.COMMANDS.forEach((name, make) -> assertEquals(
                name,
                make.apply(Console.system())
                        .getClass()
                        .getAnnotation(Command.class)
                        .name()));
    }
}
