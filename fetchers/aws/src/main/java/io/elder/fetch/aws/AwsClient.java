package io.elder.fetch.aws;

import io.elder.fetch.BadConfigurationException;
import io.elder.fetch.Partition;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.StopReason;
import java.io.IOException;
import java.net.URI;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import software.amazon.awssdk.auth.credentials.AnonymousCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.AwsSessionCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.client.builder.AwsSyncClientBuilder;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider;
import software.amazon.awssdk.services.sts.auth.StsWebIdentityTokenFileCredentialsProvider;
import software.amazon.awssdk.services.sts.model.AssumeRoleRequest;
import software.amazon.awssdk.services.sts.model.GetCallerIdentityResponse;

/** The SDK's clients by account and region, and the credentials of each account. Many threads may use it. */
final class AwsClient implements AutoCloseable {
    /** Clients are cheap to make and not free to keep: an organization of 500 accounts would need 100,000. */
    private static final int CLIENTS_KEPT = 512;

    private final AwsSettings settings;
    private final SdkHttpClient http;
    private final ClientOverrideConfiguration configuration;
    private final Map<ClientKey, Object> clients = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<ClientKey, Object> eldest) {
            // Not closed: somebody may be using it, and it holds nothing that the others do not share.
            return size() > CLIENTS_KEPT;
        }
    };
    private final Map<String, AwsCredentialsProvider> roles = new HashMap<>();
    private final Map<String, Integer> accountsBeingRead = new HashMap<>();
    private AwsCredentialsProvider credentials;
    private String account;
    private String arn;

    private record ClientKey(Class<?> type, String account, String region) {}

    private AwsClient(AwsSettings settings) {
        this.settings = settings;
        this.http = new AwsHttp(settings.timeout());
        this.configuration = ClientOverrideConfiguration.builder()
                .retryStrategy(AwsRetryStrategy.doNotRetry())
                .addExecutionInterceptor(new AnswerCheck())
                .addExecutionInterceptor(new EarlyToken())
                .build();
    }

    /** Finds credentials and asks whose they are. */
    static AwsClient open(AwsSettings settings) throws Exception {
        AwsClient client = new AwsClient(settings);
        try {
            client.logIn();
            return client;
        } catch (Exception e) {
            client.close();
            throw e;
        }
    }

    private void logIn() throws ReadFailure {
        credentials = base();
        for (String role : settings.roles()
                .subList(
                        settings.webIdentity().isPresent() ? 1 : 0,
                        settings.roles().size())) {
            credentials = assuming(role, credentials);
        }
        try {
            credentials.resolveCredentials();
        } catch (AwsServiceException e) {
            throw e;
        } catch (SdkClientException e) {
            // A network that is down has a cause; a chain that found nothing has none.
            if (e.getCause() instanceof IOException) {
                throw e;
            }
            throw ReadFailure.stop(StopReason.BAD_CREDENTIALS, e.getMessage(), e);
        }
        GetCallerIdentityResponse caller = sts(credentials).getCallerIdentity();
        account = caller.account();
        arn = caller.arn();
    }

    private AwsCredentialsProvider base() {
        if (settings.keys().isPresent()) {
            AwsSettings.Keys keys = settings.keys().get();
            return StaticCredentialsProvider.create(keys.token()
                    .<AwsCredentials>map(token -> AwsSessionCredentials.create(
                            keys.id(), keys.secret().value(), token.value()))
                    .orElseGet(() ->
                            AwsBasicCredentials.create(keys.id(), keys.secret().value())));
        }
        if (settings.webIdentity().isPresent()) {
            return StsWebIdentityTokenFileCredentialsProvider.builder()
                    .stsClient(sts(AnonymousCredentialsProvider.create()))
                    .webIdentityTokenFile(settings.webIdentity().get())
                    .roleArn(settings.roles().getFirst())
                    .roleSessionName(settings.sessionName())
                    .build();
        }
        DefaultCredentialsProvider.Builder chain = DefaultCredentialsProvider.builder();
        settings.profile().ifPresent(chain::profileName);
        return chain.build();
    }

    private AwsCredentialsProvider assuming(String role, AwsCredentialsProvider as) {
        AssumeRoleRequest.Builder request =
                AssumeRoleRequest.builder().roleArn(role).roleSessionName(settings.sessionName());
        settings.externalId().ifPresent(request::externalId);
        // Renews itself shortly before the session ends.
        return StsAssumeRoleCredentialsProvider.builder()
                .stsClient(sts(as))
                .refreshRequest(request.build())
                .build();
    }

    private StsClient sts(AwsCredentialsProvider as) {
        return build(StsClient::builder, as, settings.home());
    }

    AwsSettings settings() {
        return settings;
    }

    /** The account of the credentials themselves: the organization's, in an organization scan. */
    String account() {
        return account;
    }

    String arn() {
        return arn;
    }

    /** {@code aws}, {@code aws-cn} or {@code aws-us-gov}: what every ARN begins with, after "arn:". */
    String partition() {
        return arn.split(":", 3)[1];
    }

    /** As many items per page as were asked for, within what the API allows. */
    int page(int least, int most) {
        return Math.clamp(settings.pageSize().orElse(most), least, most);
    }

    /** As many objects per request as were asked for, within what the API allows. */
    int batch(int most) {
        return Math.min(most, settings.batchSize());
    }

    /** A client for a region of an account; for {@link Partition#GLOBAL}, where the account's own resources are kept. */
    <B extends AwsSyncClientBuilder<B, C> & AwsClientBuilder<B, C>, C> C of(
            Class<C> type, Supplier<B> builder, Partition where) {
        ClientKey key = new ClientKey(type, where.account(), where.region());
        synchronized (clients) {
            Object known = clients.get(key);
            if (known != null) {
                return type.cast(known);
            }
        }
        String region = where.isGlobal() ? globalRegion() : where.region();
        C made = build(builder, credentials(where.account()), region);
        synchronized (clients) {
            clients.put(key, made);
        }
        return made;
    }

    private <B extends AwsSyncClientBuilder<B, C> & AwsClientBuilder<B, C>, C> C build(
            Supplier<B> builder, AwsCredentialsProvider as, String region) {
        B each = builder.get()
                .httpClient(http)
                .overrideConfiguration(configuration)
                .credentialsProvider(as)
                .region(Region.of(region));
        settings.endpoint().ifPresent(each::endpointOverride);
        return each.build();
    }

    /** @see <a href="https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html">Global services</a> */
    private String globalRegion() {
        return switch (partition()) {
            case "aws" -> "us-east-1";
            case "aws-cn" -> "cn-northwest-1";
            case "aws-us-gov" -> "us-gov-west-1";
            default -> settings.home();
        };
    }

    private AwsCredentialsProvider credentials(String ofAccount) {
        if (ofAccount.equals(account)) {
            return credentials;
        }
        synchronized (roles) {
            return roles.computeIfAbsent(
                    ofAccount,
                    id -> assuming(
                            "arn:" + partition() + ":iam::" + id + ":role/" + settings.memberRole(), credentials));
        }
    }

    Optional<URI> endpoint() {
        return settings.endpoint();
    }

    /** The reading of one account, until it is closed. */
    interface Reading extends AutoCloseable {
        @Override
        void close();
    }

    /** Waits until not too many other accounts are being read. */
    Reading reading(String which) throws InterruptedException {
        if (!settings.isOrganization() && !which.equals(account)) {
            throw new BadConfigurationException("the task is for aws/" + which + ", the configuration is of aws/"
                    + account + " (expected: the same; it was changed meanwhile)");
        }
        synchronized (accountsBeingRead) {
            while (!accountsBeingRead.containsKey(which) && accountsBeingRead.size() >= settings.parallelAccounts()) {
                accountsBeingRead.wait();
            }
            accountsBeingRead.merge(which, 1, Integer::sum);
        }
        return () -> {
            synchronized (accountsBeingRead) {
                accountsBeingRead.computeIfPresent(which, (unused, readers) -> readers == 1 ? null : readers - 1);
                accountsBeingRead.notifyAll();
            }
        };
    }

    @Override
    public void close() {
        if (credentials instanceof AutoCloseable closeable) {
            try {
                closeable.close();
            } catch (Exception e) {
                throw new IllegalStateException("closing credentials", e);
            }
        }
        http.close();
    }
}
