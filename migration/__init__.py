"""From an export of Cronium's app to files of ours: `cronium migrate`.

The export is JSON of the app's tables. What is made of it are documents (data of YAML
files), and notes that say what changed and why. Credentials become names of secrets:
no value of one is in any document. Nothing here reads or writes files.
"""
