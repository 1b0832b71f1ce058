package io.elder.fetch.azure;

import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.http.HttpClient;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.http.policy.FixedDelayOptions;
import com.azure.core.http.policy.RetryOptions;
import com.azure.core.util.Configuration;
import com.azure.core.util.ConfigurationBuilder;
import com.azure.core.util.ConfigurationSource;
import com.azure.identity.AadCredentialBuilderBase;
import com.azure.identity.ClientCertificateCredentialBuilder;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import com.microsoft.aad.msal4j.MsalException;
import com.microsoft.aad.msal4j.MsalServiceException;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import java.io.IOException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/**
 * Tokens by Microsoft's library, for the first of these that is configured: a client secret, a client certificate, the
 * managed identity, or whatever the library's default chain finds (workload identity, managed identity, the command line).
 * What the process's environment says of clients never reaches the library: a job may have none of it.
 */
final class AzureCredentials implements TokenSource {
    /** Before it expires: the longest request and a clock that is a little wrong must fit in. */
    private static final Duration MARGIN = Duration.ofMinutes(5);

    /** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
    private static final Pattern CODE = Pattern.compile("AADSTS(\\d+): [^\\r\\n]*");

    private final ReentrantLock lock = new ReentrantLock();
    private final AzureSettings settings;
    private final HttpClient http;
    private final TokenRequestContext wanted;
    private TokenCredential credential;
    private AccessToken token;

    AzureCredentials(AzureSettings settings) {
        this(
                settings,
                new JdkHttpClientBuilder()
                        .connectionTimeout(Duration.ofSeconds(10))
                        .responseTimeout(settings.timeout())
                        .build());
    }

    /** @param http to the authority */
    AzureCredentials(AzureSettings settings, HttpClient http) {
        this.settings = settings;
        this.http = http;
        this.wanted = new TokenRequestContext().addScopes(settings.scope());
    }

    @Override
    public String token() throws IOException {
        lock.lock();
        try {
            if (token == null
                    || token.getExpiresAt()
                            .isBefore(OffsetDateTime.now(ZoneOffset.UTC).plus(MARGIN))) {
                if (credential == null) {
                    credential = credential(settings, http);
                }
                token = credential.getTokenSync(wanted);
            }
            return token.getToken();
        } catch (RuntimeException e) {
            throw failure(e);
        } finally {
            lock.unlock();
        }
    }

    private static TokenCredential credential(AzureSettings settings, HttpClient http) {
        if (settings.clientSecret().isPresent()) {
            return of(settings, http, new ClientSecretCredentialBuilder())
                    .clientSecret(settings.clientSecret().get().value())
                    .build();
        }
        if (settings.certificate().isPresent()) {
            return certificate(settings, http, settings.certificate().get());
        }
        Configuration configuration = configuration(settings);
        if (settings.managedIdentity()) {
            ManagedIdentityCredentialBuilder builder = new ManagedIdentityCredentialBuilder()
                    .configuration(configuration)
                    .httpClient(http)
                    .maxRetry(1);
            settings.clientId().ifPresent(builder::clientId);
            return builder.build();
        }
        DefaultAzureCredentialBuilder builder = new DefaultAzureCredentialBuilder()
                .configuration(configuration)
                .httpClient(http)
                .authorityHost(settings.tokenHost());
        settings.tenantId().ifPresent(builder::tenantId);
        // Also where there is none: else the builder takes that of the process's environment.
        String clientId = settings.clientId().orElse(null);
        builder.managedIdentityClientId(clientId).workloadIdentityClientId(clientId);
        return builder.build();
    }

    private static TokenCredential certificate(AzureSettings settings, HttpClient http, Path file) {
        ClientCertificateCredentialBuilder builder = of(settings, http, new ClientCertificateCredentialBuilder());
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".pfx") || name.endsWith(".p12")) {
            builder.pfxCertificate(file.toString());
        } else {
            builder.pemCertificate(file.toString());
        }
        settings.certificatePassword().ifPresent(password -> builder.clientCertificatePassword(password.value()));
        return builder.build();
    }

    private static <B extends AadCredentialBuilderBase<B>> B of(AzureSettings settings, HttpClient http, B builder) {
        builder.tenantId(settings.tenantId().orElse(""))
                .clientId(settings.clientId().orElse(""))
                .authorityHost(settings.tokenHost())
                .httpClient(http)
                // Whoever asks for a token tries again.
                .maxRetry(0)
                .retryOptions(new RetryOptions(new FixedDelayOptions(0, Duration.ofSeconds(1))));
        if (settings.authority().isPresent()) {
            // Else the library asks the public cloud whether there is such an authority.
            builder.disableInstanceDiscovery();
        }
        return builder;
    }

    private static Configuration configuration(AzureSettings settings) {
        Map<String, String> environment = new HashMap<>(settings.platform());
        settings.tenantId().ifPresent(id -> environment.put("AZURE_TENANT_ID", id));
        settings.clientId().ifPresent(id -> environment.put("AZURE_CLIENT_ID", id));
        settings.federatedToken().ifPresent(file -> environment.put("AZURE_FEDERATED_TOKEN_FILE", file.toString()));
        environment.put("AZURE_AUTHORITY_HOST", settings.tokenHost());
        ConfigurationSource nothing = unused -> Map.of();
        return new ConfigurationBuilder(nothing, nothing, unused -> environment).build();
    }

    private static ReadFailure failure(RuntimeException e) {
        String said = said(e);
        Throwable root = root(e);
        // How far a connection got is told from it; the library's own would say the rest over and over.
        boolean isOfConnection = root instanceof IOException || root instanceof UnresolvedAddressException;
        return ReadFailure.of(verdict(e, said), said, isOfConnection ? root : null);
    }

    private static Verdict verdict(RuntimeException e, String said) {
        boolean wasSent = false;
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            wasSent |= cause instanceof MsalException;
            if (cause instanceof SSLException) {
                return new Verdict.Stop(StopReason.TLS, said);
            }
            if (cause instanceof IOException) {
                // Files that are none, or have another password, are broken reads too.
                return wasSent || cause.getClass().getName().startsWith("java.net.")
                        ? new Verdict.RetryWithBackoff()
                        : new Verdict.Stop(StopReason.BAD_CONFIGURATION, said);
            }
            if (cause instanceof MsalServiceException refused && refused.statusCode() != null) {
                int status = refused.statusCode();
                if (status == 429) {
                    return new Verdict.Throttled();
                }
                if (status >= 500) {
                    return new Verdict.RetryWithBackoff();
                }
            }
        }
        Matcher code = CODE.matcher(said);
        if (code.find()) {
            return switch (code.group(1)) {
                case "7000222" -> new Verdict.Stop(StopReason.PASSWORD_EXPIRED, said);
                case "7000112", "500011" -> new Verdict.Stop(StopReason.ACCOUNT_DISABLED, said);
                case "90033", "50196" -> new Verdict.RetryWithBackoff();
                default -> new Verdict.Stop(StopReason.BAD_CREDENTIALS, said);
            };
        }
        return e instanceof IllegalArgumentException || e instanceof IllegalStateException
                ? new Verdict.Stop(StopReason.BAD_CONFIGURATION, said)
                : new Verdict.Stop(StopReason.BAD_CREDENTIALS, said);
    }

    private static Throwable root(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root;
    }

    /** The authority's own words, if there are any: the library wraps them in advice. */
    private static String said(Throwable e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            Matcher code = CODE.matcher(String.valueOf(cause.getMessage()));
            if (code.find()) {
                return code.group();
            }
        }
        Throwable root = root(e);
        String advice = String.valueOf(e.getMessage());
        String message = (root == e ? advice : root.getMessage() + " (" + advice + ")")
                .strip()
                .replaceAll("\\s+", " ");
        return message.length() > 500 ? message.substring(0, 500) + "..." : message;
    }
}
