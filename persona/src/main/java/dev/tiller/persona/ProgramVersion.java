package dev.tiller.persona;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** The version of this program, for files and for {@code --version}. */
public final class ProgramVersion {
    private ProgramVersion() {}

    /** The version in the jar; classes that are not in a jar have none. */
    public static String number() {
        try (InputStream in =
                ProgramVersion.class.getResourceAsStream("/META-INF/maven/dev.tiller/persona/pom.properties")) {
            if (in == null) {
                return "development build";
            }
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        } catch (IOException e) {
            return "of unknown version";
        }
    }
}
