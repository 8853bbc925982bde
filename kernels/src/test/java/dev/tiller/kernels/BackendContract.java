package dev.tiller.kernels;

/** Everything that a backend owes its callers; a test of a backend extends this and says how to open it. */
abstract class BackendContract
        implements MatmulContract,
                BlockContract,
                RowContract,
                AttentionContract,
                SiteContract,
                EditContract,
                FamilyContract,
                MixtureContract,
                ArgumentContract {}
