package dev.tiller.loader.hub;

import dev.tiller.loader.Messages;
import dev.tiller.loader.TillerException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateNotYetValidException;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManagerFactory;

/**
 * Certificates that are trusted in place of those that Java brings along: a file in PEM (RFC 7468), named by a variable
 * that the Python tools read.
 *
 * @param variable that named it
 * @param file the certificates, one after the other; other text between them is passed over
 */
record HubTrust(String variable, Path file) {
    private static final String[] VARIABLES = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    private static final String OF_JAVA = "javax.net.ssl.trustStore";

    /** The bundles of all authorities have a tenth of it. */
    private static final int MAX = 4 << 20;

    private static final Pattern CERTIFICATE =
            Pattern.compile("-----BEGIN (?:X509 )?CERTIFICATE-----([^-]*)-----END (?:X509 )?CERTIFICATE-----");

    /** What the environment names; empty if it names nothing, or Java's own switch does, which is meant for us alone. */
    static Optional<HubTrust> of(Map<String, String> environment) {
        for (String variable : VARIABLES) {
            String value = environment.getOrDefault(variable, "");
            if (!value.isBlank() && System.getProperty(OF_JAVA) == null) {
                return Optional.of(new HubTrust(variable, HubSettings.path(variable, value, environment)));
            }
        }
        return Optional.empty();
    }

    /** For connections that trust these certificates alone. */
    SSLContext context() {
        try {
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store());
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, trust.getTrustManagers(), null);
            return context;
        } catch (GeneralSecurityException e) {
            throw unusable(Messages.oneLine(String.valueOf(e.getMessage())), e);
        } catch (IOException e) {
            throw unusable(Messages.reason(e), e);
        }
    }

    private KeyStore store() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        if (Files.isRegularFile(file) && Files.size(file) > MAX) {
            throw unusable("larger than " + MAX + " bytes", null);
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        Matcher m = CERTIFICATE.matcher(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
        while (m.find()) {
            try {
                byte[] der = Base64.getMimeDecoder().decode(m.group(1));
                store.setCertificateEntry(
                        "" + store.size(), factory.generateCertificate(new ByteArrayInputStream(der)));
            } catch (CertificateException | IllegalArgumentException e) {
                continue; // of a kind that Java does not know, so nobody can be trusted by it
            }
        }
        if (store.size() == 0) {
            throw unusable("none in it", null);
        }
        return store;
    }

    private TillerException unusable(String why, Exception e) {
        return new TillerException(variable + " " + file + ": expected certificates in PEM, found " + why, e);
    }

    /** What is wrong with the certificate of a server, in one line; empty if the trouble is a passing one. */
    static Optional<String> complaint(SSLException e, Optional<HubTrust> trust) {
        if (String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT).contains("unrecognized ssl message")) {
            return Optional.of("it does not answer in TLS; is its address one with http://?");
        }
        String complaint = null;
        for (Throwable t = e; t != null; t = t.getCause()) {
            if (t instanceof CertificateExpiredException) {
                return Optional.of("its certificate has expired" + said(t));
            }
            if (t instanceof CertificateNotYetValidException) {
                return Optional.of("its certificate is not valid yet, or this machine's clock is late" + said(t));
            }
            if (t instanceof CertPathBuilderException) {
                return Optional.of("its certificate comes from nobody who is trusted here ("
                        + trust.map(x -> x.variable + " " + x.file).orElse("the authorities that Java knows")
                        + "); if you know it, write it in PEM to a file and name that in SSL_CERT_FILE, or name a key"
                        + " store: TILLER_JAVA_OPTS=-D" + OF_JAVA + "=FILE");
            }
            if (t instanceof CertificateException || t instanceof CertPathValidatorException) {
                complaint = "its certificate is not accepted" + said(t); // unless there is a better reason deeper
            }
        }
        return Optional.ofNullable(complaint);
    }

    private static String said(Throwable e) {
        return e.getMessage() == null ? "" : " (" + Messages.oneLine(e.getMessage()) + ")";
    }
}
